from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of the machine, no model on it beside those that ship."""
    for name in [name for name in os.environ if name.upper().startswith("MIRANTE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MIRANTE_HOME", str(tmp_path / "home"))

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _clean_machine(home: Path, as_configured: None) -> None:
    """No variable of the machine, no model on it beside those that ship."""

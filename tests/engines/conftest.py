from __future__ import annotations

from pathlib import Path

import pytest

from engines.store.models import default_mirror


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A local store of its own, and no mirror."""
    monkeypatch.setenv("MIRANTE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MIRANTE_MODEL_MIRROR", raising=False)
    return tmp_path / "home"


@pytest.fixture
def weights(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of public weights; skips the test where there is none."""
    monkeypatch.undo()
    folder = default_mirror()
    if folder is None or not folder.is_dir():
        pytest.skip("no public weights: set MIRANTE_MODEL_MIRROR to a folder that holds them")
    monkeypatch.setenv("MIRANTE_HOME", str(home))
    monkeypatch.setenv("MIRANTE_MODEL_MIRROR", str(folder))
    return folder

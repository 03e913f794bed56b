from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from engines.store import default_mirror

CLIPS = Path(__file__).parents[3] / "shared" / "clips"


@lru_cache(maxsize=64)
def clip_frame(clip: str, index: int) -> NDArray[np.uint8]:
    """Frame ``index`` of one of the shared clips as RGB; skips the test where it is not here."""
    path = CLIPS / clip
    if not path.is_file():
        pytest.skip(f"no clip {clip} in ../shared/clips")
    video = cv2.VideoCapture(str(path))
    try:
        for _ in range(index):
            video.grab()
        read, bgr = video.read()
    finally:
        video.release()
    assert read, f"{clip} has no frame {index}"
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


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

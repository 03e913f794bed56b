"""Frames of the clips in ../shared/clips."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support import SHARED

CLIPS = SHARED / "clips"


@lru_cache(maxsize=64)
def clip_frame(clip: str, index: int) -> NDArray[np.uint8]:
    """Frame ``index`` of one of the shared clips as RGB; skips the test where it is not here."""
    return frame_of(CLIPS / clip, index)


def frame_of(path: Path, index: int) -> NDArray[np.uint8]:
    """Frame ``index`` of a clip as RGB; skips the test where the clip is not here."""
    if not path.is_file():
        pytest.skip(f"no clip {path.name} in {path.parent}")
    video = cv2.VideoCapture(str(path))
    try:
        for _ in range(index):
            video.grab()
        read, bgr = video.read()
    finally:
        video.release()
    assert read, f"{path.name} has no frame {index}"
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)

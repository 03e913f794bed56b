"""Frames of the clips in ../shared/clips."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

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

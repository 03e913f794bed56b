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


class _Reader:
    """Reads on from the frame that it was at, as OpenCV does not find every frame that it seeks."""

    def __init__(self, path: Path) -> None:
        self._path, self._next = path, 0
        self._video = cv2.VideoCapture(str(path))

    def frame(self, index: int) -> NDArray[np.uint8]:
        if index < self._next:
            self._video.open(str(self._path))
            self._next = 0
        for _ in range(self._next, index):
            self._video.grab()
        read, bgr = self._video.read()
        self._next = index + 1
        assert read, f"{self._path.name} has no frame {index}"
        return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


@lru_cache(maxsize=64)
def clip_frame(clip: str, index: int) -> NDArray[np.uint8]:
    """Frame ``index`` of one of the shared clips as RGB; skips the test where it is not here."""
    return frame_of(CLIPS / clip, index)


def frame_of(path: Path, index: int) -> NDArray[np.uint8]:
    """Frame ``index`` of a clip as RGB; skips the test where the clip is not here."""
    if not path.is_file():
        pytest.skip(f"no clip {path.name} in {path.parent}")
    return _reader(path).frame(index)


_reader = lru_cache(maxsize=8)(_Reader)

"""JPEG files of a frame, each quality encoded once."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from plugins.frame import Frame


def jpeg_of(bgr: NDArray[np.uint8], quality: int) -> bytes:
    """Encode an image of shape (height, width, 3), uint8 BGR, with a quality of 1 to 100.

    Raises:
        ValueError: no JPEG can be made of it.
    """
    made, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not made:
        raise ValueError(f"no JPEG could be made of a {bgr.shape} picture")
    return jpeg.tobytes()


class Jpegs:
    """The JPEG files of one frame, for the time that its pixels are there."""

    def __init__(self, frame: Frame) -> None:
        self.size = frame.size
        self._frame = frame
        self._made: dict[int, bytes] = {}

    def of(self, quality: int) -> bytes:
        """Return the file of a quality, encoded on first use."""
        if quality not in self._made:
            bgr = np.asarray(cv2.cvtColor(self._frame.pixels, cv2.COLOR_RGB2BGR), np.uint8)
            self._made[quality] = jpeg_of(bgr, quality)
        return self._made[quality]

"""One frame of a clip, or an image."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.files import is_picture, read_rgb


def read_frame(path: Path, number: int = 0) -> NDArray[np.uint8]:
    """A frame of a clip, or an image, whose only frame is 0: (height, width, 3) uint8 RGB.

    The frames before it are decoded too: seeking is not exact in every file.

    Raises:
        ValueError: there is no frame of that number.
        OSError: there is no clip or image.
    """
    if number < 0:
        raise ValueError(f"frame: expected 0 or more, got {number}")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; expected a clip or an image")
    if is_picture(path):
        if number:
            raise ValueError(f"frame: {number}; expected 0, as {path} is an image")
        return read_rgb(path)
    video = cv2.VideoCapture(str(path))
    try:
        before = 0
        while before < number and video.grab():
            before += 1
        more, bgr = video.read()
    finally:
        video.release()
    if more:
        return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
    if not before:
        raise OSError(f"{path}: expected a clip or an image that OpenCV can read")
    raise ValueError(f"frame: {number}; expected 0 to {before - 1}, as {path} has")


def named_frame(text: str) -> NDArray[np.uint8]:
    """The frame that ``CLIP:N`` names, or ``PICTURE``, or ``CLIP`` for its first.

    Raises:
        ValueError, OSError: as ``read_frame``.
    """
    path, colon, number = text.rpartition(":")
    if colon and number.isdecimal():
        return read_frame(Path(path), int(number))
    return read_frame(Path(text))

"""An image that a model looks at, whatever its pixels are kept as."""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.placement import Size

Pixels = NDArray[np.uint8]


class Image(Protocol):
    """An image, for the time of one call. Nobody writes to its pixels."""

    @property
    def size(self) -> Size:
        """Width and height."""

    @property
    def pixels(self) -> Pixels:
        """(height, width, 3) uint8 RGB; rows may be padded."""

    def scaled(self, size: Size, room: Pixels) -> Pixels:
        """Return the pixels at another size, in ``room``, (height, width, 3) uint8, or in an array
        that the next call overwrites.
        """


class Rgb:
    """An image that is RGB.

    Args:
        pixels: (height, width, 3) uint8.

    Raises:
        ValueError: it is another array, or empty.
    """

    __slots__ = ("_pixels",)

    def __init__(self, pixels: Pixels) -> None:
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or not pixels.size:
            got = f"{pixels.shape} {pixels.dtype}"
            raise ValueError(f"rgb: expected (height, width, 3) uint8, got {got}")
        self._pixels = pixels

    @property
    def pixels(self) -> Pixels:
        """As they were given."""
        return self._pixels

    @property
    def size(self) -> Size:
        """Width and height."""
        return self._pixels.shape[1], self._pixels.shape[0]

    def scaled(self, size: Size, room: Pixels) -> Pixels:
        """Return the pixels at another size, in ``room``."""
        cv2.resize(self._pixels, size, dst=room, interpolation=cv2.INTER_LINEAR)
        return room


def image_of(rgb: Pixels | Image) -> Image:
    """Return pixels as an image; an image as it is. Errors are those of ``Rgb``."""
    return Rgb(rgb) if isinstance(rgb, np.ndarray) else rgb

"""A frame as stages get it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Frame:
    """An image at the analysis size, for the time of one call; its pixels are in host memory.

    Stages ask a frame for its size and pixels and do not know where those lie, so that a frame in
    a GPU's memory can take this one's place.

    Args:
        pixels: (height, width, 3) uint8 RGB; left writable for whoever made them.

    Attributes:
        pixels: a view of them that may not be written to. What they lie in is overwritten after the
            call, so copy what must outlive it.
    """

    __slots__ = ("pixels",)

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self.pixels = pixels.view()
        self.pixels.flags.writeable = False

    @classmethod
    def of_rows(cls, data: memoryview, size: tuple[int, int], stride: int) -> Frame:
        """Return the frame of a mapped buffer, without a copy.

        Args:
            data: the rows.
            size: width and height.
            stride: bytes from one row to the next.
        """
        width, height = size
        return cls(np.ndarray((height, width, 3), np.uint8, data, strides=(stride, 3, 1)))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.pixels.shape[1], self.pixels.shape[0]

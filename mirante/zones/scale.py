"""The way from a frame's pixels to the whole image as shown, with its longer side as 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Edges = tuple[float, float, float, float]  # left, top, right, bottom
WHOLE: Edges = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Scale:
    """The frame's place in the whole image.

    Attributes:
        size: width and height of the frames, in source pixels.
        area: the part of the whole image that they show, in 0..1.
    """

    size: tuple[int, int]
    area: Edges = WHOLE

    @property
    def whole(self) -> tuple[float, float]:
        """Width and height of the whole image in source pixels."""
        left, top, right, bottom = self.area
        return self.size[0] / (right - left), self.size[1] / (bottom - top)

    @property
    def sides(self) -> Points:
        """Its width and height, the longer one 1: (2,)."""
        return np.array(self.whole) / max(self.whole)

    @property
    def pixel(self) -> float:
        """The length of a source pixel."""
        return 1 / max(self.whole)

    @property
    def corner(self) -> Points:
        """Where the frame's top left corner is: (2,)."""
        return np.array(self.area[:2]) * self.sides

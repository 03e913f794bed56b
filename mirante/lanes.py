"""The lanes of a road as geometry: its lines, the lane that the camera is in, the drivable area."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mirante.shapes import ShapeError

Points = NDArray[np.float32]


class Curve(NamedTuple):
    """A line of a flat road under perspective: ``x = a + b (y - horizon) + c / (y - horizon)``.

    Parallel lines of a road share all but ``b``: the image of parabolas on a plane.

    Attributes:
        horizon: the row at which the road's plane ends, in source pixels; above all of the line.
        a: the column at which a straight line meets the horizon, in source pixels.
        b: the line's distance from the camera, to the right, in heights of the camera.
        c: the bend, in square source pixels; positive to the right.
    """

    horizon: float
    a: float
    b: float
    c: float

    def at(self, y: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return x, (k,) float64, at rows below the horizon, both in source pixels."""
        below = np.asarray(y, np.float64) - self.horizon
        return self.a + self.b * below + self.c / below


@dataclass(frozen=True, slots=True, eq=False)
class LaneLine:
    """A line painted along the road; the gaps between the dashes of a broken one belong to it.

    Attributes:
        points: (k, 2) float32, x and y in source pixels from the nearest to the farthest, k >= 2.
        curve: the line as a function of y.
        confidence: in 0..1: how much of the line was seen, and how well the curve fits that.
        number: -1 of the first line to the left of the camera, -2 of the next one on that side;
            1, 2, … of those to its right.

    Raises:
        ShapeError: ``points`` has another shape or dtype.
    """

    points: Points
    curve: Curve
    confidence: float
    number: int

    def __post_init__(self) -> None:
        _check(self.points, 2)


class EgoLane(NamedTuple):
    """The lane that the camera is in: between the lines -1 and 1, of which one may be unseen.

    Attributes:
        offset: of the camera from the lane's centre as a share of the lane's width, positive to the
            right: -0.5 on the left line, 0.5 on the right one.
        curvature: of the lane's centre in the image, in 1 / source pixels, halfway up the lines;
            positive where it bends to the right.
        confidence: in 0..1.
        offset_m: ``offset`` in metres; None where the stage was given no lane width.
        curvature_per_m: of the lane on the ground in 1/m, positive to the right; None where the
            stage was given no lane width or no field of view.
    """

    offset: float
    curvature: float
    confidence: float
    offset_m: float | None = None
    curvature_per_m: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Lanes:
    """The lanes of one frame.

    Attributes:
        lines: from left to right.
        ego: the lane that the camera is in; None where too little is seen of it.
        drivable: outlines of the drivable area, the largest first, each (k, 2) float32, x and y in
            source pixels, k >= 3; what lies on the road inside of one is not cut out.

    Raises:
        ShapeError: an outline has another shape or dtype.
    """

    lines: tuple[LaneLine, ...] = ()
    ego: EgoLane | None = None
    drivable: tuple[Points, ...] = ()

    def __post_init__(self) -> None:
        for outline in self.drivable:
            _check(outline, 3)

    def line(self, number: int) -> LaneLine | None:
        """Return the line of a number; None where it was not seen."""
        return next((each for each in self.lines if each.number == number), None)


def _check(points: Points, fewest: int) -> None:
    shape = points.shape
    if len(shape) != 2 or shape[1] != 2 or shape[0] < fewest or points.dtype != np.float32:
        raise ShapeError(
            f"points: expected (k, 2) float32, k >= {fewest}, got {shape} {points.dtype}"
        )

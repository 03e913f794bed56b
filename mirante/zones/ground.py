"""The ground in metres, from places in the image of which it is known where they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

Metres = Annotated[float, Meta(ge=-1e5, le=1e5)]
Point = tuple[Metres, Metres]
Points = NDArray[np.float64]

MIN_PLACES, MAX_PLACES = 4, 20
FLAT = 0.01  # area of a triangle, as a share of that of the box around all, which is no triangle
OFF = 0.005  # of the image's width and height: how far off an object's anchor is taken to be
SPREAD = 1e-3  # of the two smallest singular values, below which the places leave the map open


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """A homography from the image to the ground.

    Attributes:
        matrix: (3, 3) float64, of x and y in 0..1 of the image.
        rms_m: by how much the places given miss the map; 0 with four, which fix it.
    """

    matrix: Points
    rms_m: float

    @classmethod
    def through(cls, image: Sequence[Point], metres: Sequence[Point]) -> Plane:
        """Return the map that fits the places best: the direct linear transform of normalised
        points (Hartley and Zisserman, Multiple View Geometry, algorithm 4.2).

        Args:
            image: 4 to 20 places, x and y in 0..1.
            metres: the same places on the ground, in the same order.

        Raises:
            ValueError: in words, why they give no map.
        """
        if len(image) != len(metres):
            words = f"{len(image)} in image and {len(metres)} in metres"
            raise ValueError(f"ground: {words}; expected as many in both")
        if not MIN_PLACES <= len(image) <= MAX_PLACES:
            words = f"expected {MIN_PLACES} to {MAX_PLACES} places, got {len(image)}"
            raise ValueError(f"ground: {words}")
        seen, true = np.array(image, np.float64), np.array(metres, np.float64)
        for name, points in (("image", seen), ("metres", true)):
            _check_places(name, points)
        matrix = _fit(seen, true)
        depth = seen @ matrix[2, :2] + matrix[2, 2]
        if not (depth > 0).all() and not (depth < 0).all():
            raise ValueError(
                "ground: a camera cannot see these places so: a part of them would be behind it; "
                "expected image and metres to go around the same places in the same order"
            )
        matrix = matrix * np.sign(depth[0])
        plane = cls(matrix, 0.0)
        missed = plane.metres(seen) - true
        rms_m = float(np.sqrt((missed**2).sum(1).mean()))
        return cls(matrix, rms_m if len(image) > MIN_PLACES else 0.0)

    def metres(self, points: Points) -> Points:
        """Return where on the ground places in the image are: (n, 2) of (n, 2), NaN at or above
        the horizon.
        """
        mapped = points @ self.matrix[:, :2].T + self.matrix[:, 2]
        depth = mapped[:, 2:]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.where(depth > 1e-9, mapped[:, :2] / depth, np.nan))

    def error_m(self, points: Points) -> NDArray[np.float64]:
        """Return by how many metres ``metres`` may be off: (n,), by what the map makes of an anchor
        that is off by ``OFF`` in the direction that counts most, and by how the map fits.
        """
        moved = [self.metres(points + step) for step in ((OFF, 0.0), (0.0, OFF))]
        here = self.metres(points)
        across, down = (np.linalg.norm(each - here, axis=1) for each in moved)
        return np.asarray(np.hypot(np.maximum(across, down), self.rms_m))


def _check_places(name: str, points: Points) -> None:
    """Refuse places that leave the map open, or four that are not the corners of an area in order.

    Raises:
        ValueError: naming those places.
    """
    if len(points) > MIN_PLACES:
        return
    box = np.ptp(points, axis=0).prod()
    for three in combinations(range(len(points)), 3):
        a, b, c = points[list(three)]
        if abs(_cross(b - a, c - a)) / 2 <= FLAT * box:
            places = "{}, {} and {}".format(*(index + 1 for index in three))
            raise ValueError(f"ground: {name}: places {places} are in one line; expected none are")
    edges = [(points[i], points[(i + 1) % 4]) for i in range(4)]
    for first, second in ((0, 2), (1, 3)):
        if _cuts(edges[first], edges[second]):
            raise ValueError(
                f"ground: {name}: edges {first + 1} and {second + 1} cross; "
                "expected the places in order around an area"
            )


def _cross(a: Points, b: Points) -> float:
    return float(a[0] * b[1] - a[1] * b[0])


def _cuts(one: tuple[Points, Points], other: tuple[Points, Points]) -> bool:
    def apart(line: tuple[Points, Points], ends: tuple[Points, Points]) -> bool:
        along = line[1] - line[0]
        return _cross(along, ends[0] - line[0]) * _cross(along, ends[1] - line[0]) < 0

    return apart(one, other) and apart(other, one)


def _fit(seen: Points, true: Points) -> Points:
    (seen, shrink), (true, grow) = _normalised(seen), _normalised(true)
    ones = np.ones((len(seen), 1))
    whole = np.hstack([seen, ones])
    none = np.zeros_like(whole)
    rows = np.vstack(
        [
            np.hstack([whole, none, -true[:, :1] * whole]),
            np.hstack([none, whole, -true[:, 1:] * whole]),
        ]
    )
    _, values, vectors = np.linalg.svd(rows)
    if values[7] < SPREAD * values[0]:
        raise ValueError("ground: the places are in one line, or one place; expected them apart")
    return np.asarray(np.linalg.inv(grow) @ vectors[-1].reshape(3, 3) @ shrink)


def _normalised(points: Points) -> tuple[Points, Points]:
    """Return points around 0 at a mean distance of the square root of 2, and the matrix that does
    it.
    """
    centre = points.mean(0)
    distance = float(np.linalg.norm(points - centre, axis=1).mean())
    if distance == 0:
        raise ValueError("ground: all places are one; expected them apart")
    scale = np.sqrt(2) / distance
    matrix = np.diag([scale, scale, 1.0])
    matrix[:2, 2] = -scale * centre
    return (points - centre) * scale, matrix

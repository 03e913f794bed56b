"""Points in polygons and steps across lines, for all objects and areas at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Polygons:
    """Areas that points may be in, by the even-odd rule.

    Args:
        polygons: (k, 2) float64 each, corners in order.
    """

    def __init__(self, polygons: Sequence[Points]) -> None:
        sizes = [len(polygon) for polygon in polygons]
        self._starts = np.cumsum([0, *sizes[:-1]]) if sizes else np.empty(0, np.intp)
        from_ = np.concatenate(polygons) if sizes else np.empty((0, 2))
        to = np.concatenate([np.roll(p, -1, axis=0) for p in polygons]) if sizes else from_
        (self._x, self._y), rise = from_.T, to[:, 1] - from_[:, 1]
        self._to_y = to[:, 1]
        self._slope = (to[:, 0] - self._x) / np.where(rise == 0, 1.0, rise)
        self._at_zero = self._x - self._y * self._slope  # where the edge's line has y = 0
        self._owner = np.repeat(np.arange(len(sizes)), sizes)

    def contain(self, points: Points) -> Bools:
        """Return which of (n, 2) points each polygon contains: (n, polygons)."""
        return self._inside(points[:, :1], points[:, 1:])

    def contain_own(self, points: Points) -> Bools:
        """Return which polygon contains its own point of (n, polygons, 2): (n, polygons)."""
        return self._inside(points[:, self._owner, 0], points[:, self._owner, 1])

    def _inside(self, x: Points, y: Points) -> Bools:
        """Count the edges to the right of each point: odd inside."""
        meets = (self._y > y) != (self._to_y > y)
        meets &= x - y * self._slope < self._at_zero
        return np.asarray(np.logical_xor.reduceat(meets, self._starts, axis=1))


class Lines:
    """Directed line segments.

    Args:
        from_, to: (m, 2) float64, their ends.
    """

    def __init__(self, from_: Points, to: Points) -> None:
        along = to - from_
        self._x, self._y = from_.T
        length = np.hypot(along[:, 0], along[:, 1])
        self._along_x, self._along_y = (along / length[:, None]).T
        self._length = length
        self._normal = np.stack([-self._along_y, self._along_x])
        self._from_0 = self._along_x * self._y - self._along_y * self._x

    def distance(self, points: Points) -> Points:
        """Return how far points are from each infinite line, positive on its right as seen along it
        in an image: (n, m) of (n, 2), or of one's own for each line, (n, m, 2).
        """
        if points.ndim == 2:
            return np.asarray(points @ self._normal - self._from_0)
        return np.asarray((points * self._normal.T).sum(2) - self._from_0)

    def place(self, points: Points) -> Points:
        """Return how far along each line points are, from its start; shapes as of ``distance``."""
        x, y = points[..., 0], points[..., 1]
        if points.ndim == 2:
            x, y = x[:, None], y[:, None]
        return np.asarray(self._along_x * (x - self._x) + self._along_y * (y - self._y))

    def on_segment(self, place: Points) -> Bools:
        """Return which places along the lines are between their ends: (n, m)."""
        return (place >= 0) & (place <= self._length)

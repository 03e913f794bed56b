"""Key points of objects: (n, k, 3) float32, each x, y in source pixels and a score in 0..1.

All objects of a frame have room for the same number of points. A point that is not there is
(0, 0, 0), as COCO writes it; an object of which all points are so has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

KeyPoints = NDArray[np.float32]


class Skeleton(NamedTuple):
    """What the key points of a class are.

    Attributes:
        names: one per key point, in their order.
        edges: the pairs of points between which a line is drawn, by their places in ``names``.
        threshold: a point of a lower score is not there.
    """

    names: tuple[str, ...]
    edges: tuple[tuple[int, int], ...] = ()
    threshold: float = 0.0


class Pose(NamedTuple):
    """The key points of one object.

    Attributes:
        points: (k, 3) float32, x, y and score; all 0 for a point that is not there.
        skeleton: their names and edges, k of them.
    """

    points: KeyPoints
    skeleton: Skeleton


Skeletons = Mapping[int, Skeleton]  # by class id


def join_keypoints(parts: Sequence[tuple[KeyPoints | None, int]]) -> KeyPoints | None:
    """Return the key points of several sets of objects as one array; None when no set has any.

    Args:
        parts: the key points of each set, or None, and its number of objects.
    """
    given = [points.shape[1] for points, _ in parts if points is not None]
    if not given:
        return None
    joined = np.zeros((sum(count for _, count in parts), max(given), 3), np.float32)
    start = 0
    for points, count in parts:
        if points is not None:
            joined[start : start + count, : points.shape[1]] = points
        start += count
    return joined


def keypoints_of(objects: Sequence[Sequence[tuple[float, float, float]]]) -> KeyPoints | None:
    """Return the array of the points that each object lists; None when no object lists any."""
    if not any(objects):
        return None
    return join_keypoints(
        [
            (np.array([points], np.float32) if points else None, 1)  # one object, (1, k, 3)
            for points in objects
        ]
    )

"""Rotated boxes: (n, 5) float32, centre x and y, width, height in pixels, and an angle in radians.

The angle is that of the side ``width``, from the x axis towards the y axis: clockwise as seen, as y
points down. It is in -pi/2..pi/2, as half a turn changes nothing. An object without such a box has
five zeros.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rotated = NDArray[np.float32]
_SIGNS = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])


def corners(rotated: NDArray[Any]) -> NDArray[np.float64]:
    """Return the corners of (n, 5) rotated boxes: (n, 4, 2) x and y, clockwise as seen."""
    found = rotated.astype(np.float64)
    return turned(_SIGNS * found[:, None, 2:4], found[:, 4]) + found[:, None, :2]


def turned(points: NDArray[np.float64], angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, k, 2) points, those of each row turned about 0, 0 by an angle of its own, (n,)."""
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    x, y = points[..., 0], points[..., 1]
    return np.stack([x * cos - y * sin, x * sin + y * cos], axis=-1)


def enclosing(rotated: NDArray[Any]) -> NDArray[np.float32]:
    """Return the upright boxes around (n, 5) rotated ones: (n, 4) left, top, right, bottom."""
    found = corners(rotated)
    return np.concatenate([found.min(axis=1), found.max(axis=1)], axis=1, dtype=np.float32)


def within_half_turn(angle: NDArray[Any]) -> NDArray[Any]:
    """Return the same directions of a side as angles in -pi/2..pi/2."""
    return (angle + np.pi / 2) % np.pi - np.pi / 2


def join_rotated(parts: Sequence[tuple[Rotated | None, int]]) -> Rotated | None:
    """Return the rotated boxes of several sets of objects as one array; None when no set has any.

    Args:
        parts: the rotated boxes of each set, or None, and its number of objects.
    """
    if all(rotated is None for rotated, _ in parts):
        return None
    return np.concatenate(
        [
            np.zeros((count, 5), np.float32) if rotated is None else rotated
            for rotated, count in parts
        ]
    )

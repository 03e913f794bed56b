"""How well a tracker had expected what was found."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from plugins.track.motion import Rows

Flags = NDArray[np.bool_]

_NEAR = 1.5  # sizes from where an object was expected, within which a new box may be it


class Outlook(NamedTuple):
    """Of the last frame that was looked at.

    Attributes:
        overlap: of the worst expected box with that found, intersection over union; 1 without any.
        objects: those with a number that were expected.
        lost: of these, objects that were not found, near a box that continues none: it seems that
            they get another number.
        is_steady: each object has a number, was expected, and was found; each box is one of an
            object.
    """

    overlap: float = 0.0
    objects: int = 0
    lost: int = 0
    is_steady: bool = False


def outlook_of(
    expected: Rows, rows: NDArray[np.intp], boxes: Rows, columns: NDArray[np.intp], strong: Flags
) -> Outlook:
    """Return how well objects were expected; ``is_steady`` is known later.

    Args:
        expected: (n, 4), where those with a number should be: centre, width, height.
        rows, columns: those of them that were found, and the box of each.
        boxes: (m, 4), what was found, in the same way.
        strong: (m,) bool, what may begin an object.
    """
    overlap = _overlaps(expected[rows], boxes[columns]).min(initial=1.0)
    missing = np.delete(expected, rows, axis=0)
    free = np.ones(len(boxes), np.bool_)
    free[columns] = False
    begun = boxes[free & strong]
    off = np.abs(begun[None, :, :2] - missing[:, None, :2])
    near: Flags = np.logical_and.reduce(off < _NEAR * missing[:, None, 2:], axis=2)
    lost = min(int(near.any(axis=1).sum()), len(begun))
    return Outlook(float(overlap), len(expected), lost)


def corners(boxes: Rows) -> Rows:
    """Return left, top, right, bottom of boxes given as centre, width, height: (n, 4)."""
    half = boxes[:, 2:] / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)


def _overlaps(some: Rows, others: Rows) -> NDArray[np.float64]:
    """Return intersection over union of pairs: (n,)."""
    one, other = corners(some), corners(others)
    size = np.minimum(one[:, 2:], other[:, 2:]) - np.maximum(one[:, :2], other[:, :2])
    common = np.maximum(size, 0.0).prod(axis=1)
    return np.asarray(common / (some[:, 2:].prod(axis=1) + others[:, 2:].prod(axis=1) - common))

"""Overlap and non-maximum suppression of rotated boxes, and their way to other pixels.

Boxes are (n, 5) as in ``mirante.rotated``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirante.rotated import corners, enclosing, turned, within_half_turn

_NEAR_PX = 1e-6  # points as near as that to an edge lie on it
_AT_ONCE = 32  # boxes whose overlaps are taken together; one by one takes 5 times as long


def scaled(rotated: NDArray[Any], scale: tuple[float, float]) -> NDArray[np.float32]:
    """Return (n, 5) boxes in pixels that are ``scale`` times as many in x and y.

    Exact where both are equal. Otherwise a rectangle would become a parallelogram: its longer side
    and its area are kept.
    """
    found = rotated.astype(np.float64)
    wide = found[:, 2] >= found[:, 3]
    angle = found[:, 4] + np.where(wide, 0, np.pi / 2)
    along = np.stack([np.cos(angle) * scale[0], np.sin(angle) * scale[1]])
    longer = np.maximum(found[:, 2], found[:, 3]) * np.hypot(*along)
    area = found[:, 2] * found[:, 3] * scale[0] * scale[1]
    shorter = np.divide(area, longer, out=np.zeros_like(area), where=longer > 0)
    angle = np.arctan2(along[1], along[0]) - np.where(wide, 0, np.pi / 2)
    size = np.stack([np.where(wide, longer, shorter), np.where(wide, shorter, longer)], axis=1)
    parts = [found[:, :2] * scale, size, within_half_turn(angle)[:, None]]
    return np.concatenate(parts, axis=1, dtype=np.float32)


def rotated_overlaps(found: NDArray[Any], truth: NDArray[Any]) -> NDArray[np.float64]:
    """Return the (n, m) intersection over union of (n, 5) and (m, 5) boxes, exact."""
    a, b = enclosing(found)[:, None], enclosing(truth)[None]
    touch = (np.maximum(a[..., :2], b[..., :2]) < np.minimum(a[..., 2:], b[..., 2:])).all(axis=2)
    rows, columns = np.nonzero(touch)
    iou = np.zeros(touch.shape)
    iou[rows, columns] = _iou(found[rows], truth[columns])
    return iou


def kept(
    rotated: NDArray[Any], class_id: NDArray[np.int32], most_overlap: float
) -> NDArray[np.intp]:
    """Return the indices that greedy non-maximum suppression within each class leaves.

    Args:
        rotated: (n, 5), the best first.
        class_id: (n,).
        most_overlap: boxes of one class whose exact intersection over union is larger are one
            object.
    """
    upright, area = enclosing(rotated), rotated[:, 2] * rotated[:, 3]
    waiting, found = np.arange(len(rotated)), []
    while len(waiting):
        first = waiting[:_AT_ONCE]
        pairs = _may_be_one(upright, area, (first, waiting), most_overlap)
        pairs &= class_id[first][:, None] == class_id[waiting]
        rows, columns = np.nonzero(np.triu(pairs, 1))
        covers = np.zeros(pairs.shape, np.bool_)
        covers[rows, columns] = _iou(rotated[first[rows]], rotated[waiting[columns]]) > most_overlap
        gone = np.zeros(len(waiting), np.bool_)
        for place, index in enumerate(first):
            if not gone[place]:
                found.append(index)
                gone |= covers[place]
        gone[: len(first)] = True
        waiting = waiting[~gone]
    return np.array(found, np.intp)


def _may_be_one(
    upright: NDArray[Any],
    area: NDArray[Any],
    places: tuple[NDArray[np.intp], NDArray[np.intp]],
    most_overlap: float,
) -> NDArray[np.bool_]:
    """(n, m) pairs of places that may overlap more than that, as the upright boxes tell."""
    first, others = places
    a, b = upright[first][:, None], upright[others][None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    one, other = area[first][:, None], area[others][None]
    shared = np.minimum(np.maximum(sides, 0).prod(axis=2), np.minimum(one, other))
    return np.asarray((shared > 0) & (shared >= most_overlap * (one + other - shared)), np.bool_)


def _iou(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """(n,) of pairs of boxes, (n, 5) each."""
    shared = _shared(a.astype(np.float64), b.astype(np.float64))
    areas = [each[:, 2].astype(np.float64) * each[:, 3] for each in (a, b)]
    return np.asarray(shared / np.maximum(areas[0] + areas[1] - shared, 1e-9), np.float64)


def _shared(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) areas that pairs of boxes share, each the polygon of all points that bound it.

    These are the corners of each inside the other and the crossings of their edges, found where
    the one box is upright about 0, 0.
    """
    half = a[:, None, 2:4] / 2
    there = turned(corners(b) - a[:, None, :2], -a[:, 4])
    edge = np.roll(there, -1, axis=1) - there
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.stack([(side * half - there) / edge for side in (-1, 1)], axis=2)
        # (n, edges, sides, axes, 2): where an edge meets the line of a side across an axis.
        crossing = there[:, :, None, None] + share[..., None] * edge[:, :, None, None]
        other = np.abs(crossing[..., [0, 1], [1, 0]]) <= half[:, :, None, ::-1] + _NEAR_PX
    meets = (share >= 0) & (share <= 1) & other
    mine = corners(np.concatenate([np.zeros((len(a), 2)), a[:, 2:4], np.zeros((len(a), 1))], 1))
    in_other = turned(turned(mine, a[:, 4]) + a[:, None, :2] - b[:, None, :2], -b[:, 4])
    points = np.concatenate([there, mine, crossing.reshape(len(a), 16, 2)], axis=1)
    bounds = np.concatenate(
        [
            (np.abs(there) <= half + _NEAR_PX).all(axis=2),
            (np.abs(in_other) <= b[:, None, 2:4] / 2 + _NEAR_PX).all(axis=2),
            meets.reshape(len(a), 16),
        ],
        axis=1,
    )
    return _area(points, bounds)


def _area(points: NDArray[np.float64], bounds: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(n,) areas of convex polygons, each of those of (n, k, 2) points that are corners of it."""
    first = points[np.arange(len(points)), bounds.argmax(axis=1)]
    points = np.where(bounds[..., None], points, first[:, None])  # a repeated corner adds nothing
    centre = (points * bounds[..., None]).sum(1) / np.maximum(bounds.sum(1), 1)[:, None]
    spokes = points - centre[:, None]
    order = np.argsort(np.arctan2(spokes[..., 1], spokes[..., 0]), axis=1)
    spokes = np.take_along_axis(spokes, order[..., None], axis=1)
    following = np.roll(spokes, -1, axis=1)
    doubled = spokes[..., 0] * following[..., 1] - spokes[..., 1] * following[..., 0]
    return np.where(bounds.any(axis=1), np.abs(doubled.sum(axis=1)) / 2, 0)

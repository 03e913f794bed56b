"""Findings of several looks at parts of one frame, brought together without doubles or halves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.agreement import IOU, overlaps
from engines.placement import Size
from engines.rotated import rotated_overlaps
from mirante.detections import Detections
from mirante.mask import Mask
from plugins.frame import Area

Flags = NDArray[np.bool_]
_WITHIN = 0.7  # share of a cut box that another one covers, from which it is a part of that
_INSIDE, _INSIDE_IOU = 0.9, 0.25  # a coarse box and a fine one of a small object
_NEAR = 0.015  # of a look's side: a box that ends as near as that to an edge is cut there
_NEAR_PX = 2.0


class Look(NamedTuple):
    """What a model found in a part of the frame.

    Attributes:
        area: the part.
        found: in pixels of the source frame.
    """

    area: Area
    found: Detections

    def cut(self, source: Size) -> Flags:
        """Return which boxes end at an edge of the part that is none of the frame's: (n,)."""
        return _cut(self.area, self.found.xyxy, source)

    def holds(self, boxes: NDArray[np.float32], source: Size) -> Flags:
        """Return which boxes it shows whole and uncut: (n,)."""
        left, top, right, bottom = self.area
        inside = (boxes >= (left, top, left, top)) & (boxes <= (right, bottom, right, bottom))
        return np.asarray(inside.all(axis=1) & ~_cut(self.area, boxes, source))


def _cut(area: Area, boxes: NDArray[np.float32], source: Size) -> Flags:
    edges = np.array(area, np.float32)
    inner = np.array([*(edges[:2] > 0), *(edges[2:] < source)])
    near = _NEAR_PX + _NEAR * np.tile(edges[2:] - edges[:2], 2)
    return np.asarray(((np.abs(boxes - edges) <= near) & inner).any(axis=1))


def moved(found: Detections, left: int, top: int) -> Detections:
    """Return what was found in a part of a frame in pixels of the frame.

    Args:
        found: in pixels of the part.
        left, top: where it begins.
    """
    if not len(found):
        return found
    shift = np.array([left, top], np.float32)
    points, rotated = found.keypoints, found.rotated
    if points is not None:
        there = points.any(axis=2, keepdims=True)
        points = points + np.where(there, np.array([left, top, 0], np.float32), np.float32(0))
    if rotated is not None:
        there = rotated.any(axis=1, keepdims=True)
        rotated = rotated + np.where(there, np.array([left, top, 0, 0, 0], np.float32), 0)
        rotated = rotated.astype(np.float32)
    masks = tuple(tuple(_shifted(mask, left, top) for mask in owned) for owned in found.masks)
    return replace(
        found,
        xyxy=found.xyxy + np.tile(shift, 2),
        keypoints=points,
        rotated=rotated,
        masks=masks,
    )


def _shifted(mask: Mask, x: int, y: int) -> Mask:
    left, top, right, bottom = mask.xyxy
    return replace(mask, xyxy=(left + x, top + y, right + x, bottom + y))


def same(one: Look, other: Look, source: Size) -> Flags:
    """Return which boxes of two looks are of one object: (n, m).

    They are compared within what both looks show, as one may have seen a part of what the other
    has seen whole. Of boxes that are cut it is enough that the other one covers them; and of
    looks of different scale that one lies in the other, as small boxes are rough in the coarser.
    """
    a, b = one.found, other.found
    common = np.array(
        [*np.maximum(one.area[:2], other.area[:2]), *np.minimum(one.area[2:], other.area[2:])],
        np.float32,
    )
    low, high = np.tile(common[:2], 2), np.tile(common[2:], 2)
    here, there = np.clip(a.xyxy, low, high), np.clip(b.xyxy, low, high)
    found = overlaps(here, there) >= IOU
    cut_a, cut_b = one.cut(source), other.cut(source)
    if a.rotated is not None and b.rotated is not None:
        whole = ~cut_a[:, None] & ~cut_b[None]
        found = np.where(whole, rotated_overlaps(a.rotated, b.rotated) >= IOU, found)
    if _pixels(one) != _pixels(other):
        most = np.maximum(covered(here, there), covered(there, here).T)
        found |= (most >= _INSIDE) & (overlaps(here, there) >= _INSIDE_IOU)
    found |= cut_a[:, None] & (covered(here, there) >= _WITHIN)
    found |= cut_b[None] & (covered(there, here).T >= _WITHIN)
    return np.asarray(found & (a.class_id[:, None] == b.class_id[None]))


def covered(boxes: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the share of each box that each other one covers: (n, m)."""
    return overlaps(boxes, others, np.ones(len(others), np.bool_))


def joined(looks: Sequence[Look], source: Size) -> Detections:
    """Return the objects that one model found in several looks, each once.

    A box that is cut gives way to one that is whole, one of a coarser look to one of a finer, a
    lower score to a higher. Of an object that is whole in no look the parts become one box.
    """
    every = reduce(Detections.merge, [look.found for look in looks])
    cut = np.concatenate([look.cut(source) for look in looks])
    pixels = np.repeat([_pixels(look) for look in looks], [len(look.found) for look in looks])
    one = _same_of_all(looks, source)
    groups: list[list[int]] = []
    for place in np.lexsort((-every.score, pixels, cut)).tolist():
        group = next((each for each in groups if one[each, place].any()), None)
        if group is None:
            groups.append([place])
        elif cut[group[0]] and cut[place]:
            group.append(place)
    found = every.select([group[0] for group in groups])
    if found.rotated is not None or all(len(group) == 1 for group in groups):
        return found
    low = [every.xyxy[group, :2].min(axis=0) for group in groups]
    high = [every.xyxy[group, 2:].max(axis=0) for group in groups]
    masks = tuple(sum((every.masks_of(each) for each in group), ()) for group in groups)
    return replace(
        found,
        xyxy=np.concatenate([np.stack(low), np.stack(high)], axis=1),
        masks=masks if found.masks else (),
    )


def _pixels(look: Look) -> int:
    """Return how many one model saw at once: the more, the coarser."""
    left, top, right, bottom = look.area
    return (right - left) * (bottom - top)


def _same_of_all(looks: Sequence[Look], source: Size) -> Flags:
    """Return which boxes of all looks are of one object: (n, n). What one look tells apart is."""
    ends = np.cumsum([0, *(len(look.found) for look in looks)])
    found = np.zeros((ends[-1], ends[-1]), np.bool_)
    for (a, one), (b, other) in combinations(enumerate(looks), 2):
        if len(one.found) and len(other.found):
            pairs = same(one, other, source)
            rows, columns = slice(ends[a], ends[a + 1]), slice(ends[b], ends[b + 1])
            found[rows, columns], found[columns, rows] = pairs, pairs.T
    return found

"""Match the boxes found in one image to those of the truth."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.agreement import IOU, Flags, overlaps


class Truth(NamedTuple):
    """Boxes that are there.

    Attributes:
        xyxy: (m, 4) float, pixels of the image.
        class_id: (m,) int64.
        crowd: (m,) bool, regions of which any part may be found, or not.
    """

    xyxy: NDArray[np.float32]
    class_id: NDArray[np.int64]
    crowd: Flags


class Found(NamedTuple):
    """Boxes that a model says are there: (n, 4) float, (n,) int64 and (n,) float32."""

    xyxy: NDArray[np.float32]
    class_id: NDArray[np.int64]
    score: NDArray[np.float32]

    def select(self, index: NDArray[np.bool_]) -> Found:
        """The boxes at a (n,) bool mask."""
        return Found(self.xyxy[index], self.class_id[index], self.score[index])


class Verdict(NamedTuple):
    """The verdict on each box; one that is neither a hit nor false is not counted.

    Attributes:
        hit: (n,) bool, found and there.
        false: (n,) bool, found and not there.
        counted: (m,) bool, there and to be found.
        missed: (m,) bool, counted and not found.
    """

    hit: Flags
    false: Flags
    counted: Flags
    missed: Flags


def judge(truth: Truth, found: Found, least_side_px: float = 0.0) -> Verdict:
    """Matches within each class as COCO's evaluation does at an overlap of .5.

    The surer box chooses first, of the boxes not yet taken the one that it overlaps most; one that
    counts goes before one that does not. Truth that is a crowd or too small is neither a hit nor a
    miss; a small box that is found where nothing is, is no false alarm.

    Args:
        truth: what is there.
        found: what a model says.
        least_side_px: boxes whose shorter side is below this are small.
    """
    iou = overlaps(found.xyxy, truth.xyxy, truth.crowd)
    counted = ~truth.crowd & (shorter_side(truth.xyxy) >= least_side_px)
    free = np.ones(len(truth.class_id), np.bool_)
    hit = np.zeros(len(found.score), np.bool_)
    false = np.zeros_like(hit)
    small = shorter_side(found.xyxy) < least_side_px
    for index in np.argsort(-found.score, kind="stable"):
        able = free & (truth.class_id == found.class_id[index]) & (iou[index] >= IOU)
        if not able.any():
            false[index] = not small[index]
            continue
        first = able & counted if (able & counted).any() else able
        best = int(np.where(first, iou[index], -1).argmax())
        free[best] = truth.crowd[best]
        hit[index] = counted[best]
    return Verdict(hit, false, counted, counted & free)


def confuse(
    truth: Truth, found: Found, classes: int, least_side_px: float = 0.0
) -> NDArray[np.int64]:
    """(classes + 1, classes + 1) counts: rows are the truth, columns what was found.

    The last row and column are the background. Each box has one partner at most, of its own class
    if it can be, else the one that it overlaps most.
    """
    iou = overlaps(found.xyxy, truth.xyxy, truth.crowd)
    counted = ~truth.crowd & (shorter_side(truth.xyxy) >= least_side_px)
    table = np.zeros((classes + 1, classes + 1), np.int64)
    same = found.class_id[:, None] == truth.class_id[None]
    rank = np.where((iou >= IOU) & counted, iou + same, -1)
    free_found = np.ones(len(found.score), np.bool_)
    free_truth = counted.copy()
    for place in np.argsort(-rank, axis=None, kind="stable"):
        i, j = np.unravel_index(place, rank.shape)
        if rank[i, j] < 0:
            break
        if free_found[i] and free_truth[j]:
            table[truth.class_id[j], found.class_id[i]] += 1
            free_found[i] = free_truth[j] = False
    in_doubt = ((iou >= IOU) & ~counted).any(axis=1) | (shorter_side(found.xyxy) < least_side_px)
    false = found.class_id[free_found & ~in_doubt]
    table[:classes, classes] = np.bincount(truth.class_id[free_truth], minlength=classes)
    table[classes, :classes] = np.bincount(false, minlength=classes)
    return table


def shorter_side(xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n,) float32 in pixels."""
    return np.asarray((xyxy[:, 2:] - xyxy[:, :2]).min(axis=1), np.float32)

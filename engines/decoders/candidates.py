"""From dense scores to boxes: thresholds, the class of each, non-maximum suppression."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.decoders import Boxes, Spec

MAX_CANDIDATES = 3000  # the best of them; what a box of a lower rank would add is noise


def classify(
    scores: NDArray[np.float32], threshold: NDArray[np.float32]
) -> tuple[NDArray[np.intp], NDArray[np.float32], NDArray[np.int32]]:
    """Rows of (n, c) scores in which a class reaches its threshold: row, score, class.

    The class is the likeliest of those that reach their own thresholds.
    """
    reached = np.where(scores >= threshold, scores, np.float32(-1))
    class_id = reached.argmax(axis=1)
    best = reached[np.arange(len(reached)), class_id]
    rows = np.flatnonzero(best >= 0)
    return rows, best[rows], class_id[rows].astype(np.int32)


def corners(cxcywh: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, 4) centre and size to (n, 4) left, top, right, bottom, float32."""
    half = cxcywh[:, 2:] * np.float32(0.5)
    return np.concatenate([cxcywh[:, :2] - half, cxcywh[:, :2] + half], axis=1, dtype=np.float32)


def suppress(boxes: Boxes, spec: Spec) -> Boxes:
    """Greedy non-maximum suppression within each class; the result falls in score."""
    order = np.argsort(-boxes.score, kind="stable")[:MAX_CANDIDATES]
    if len(order) < 2:
        return boxes
    # Boxes of different classes never meet once each class is moved to a place of its own; in
    # float64, as the distance would cost float32 the fractions of a pixel.
    corner = boxes.xyxy[order].astype(np.float64)
    corner += (boxes.class_id[order] * (np.ptp(corner) + 1))[:, None]
    keep = _greedy(corner, spec.iou)
    kept = order[keep]
    return Boxes(boxes.xyxy[kept], boxes.score[kept], boxes.class_id[kept])


def _greedy(xyxy: NDArray[np.float64], iou: float) -> list[int]:
    left, top, right, bottom = np.ascontiguousarray(xyxy.T)
    area = (right - left) * (bottom - top)
    alive = np.arange(len(xyxy))
    keep: list[int] = []
    while len(alive):
        first, alive = alive[0], alive[1:]
        keep.append(int(first))
        width = np.minimum(right[first], right[alive]) - np.maximum(left[first], left[alive])
        height = np.minimum(bottom[first], bottom[alive]) - np.maximum(top[first], top[alive])
        shared = np.maximum(width, 0) * np.maximum(height, 0)
        alive = alive[shared <= iou * (area[first] + area[alive] - shared)]
    return keep

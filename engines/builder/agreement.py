"""Measure how far boxes and planes of two engines agree."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

IOU = 0.5  # boxes that overlap at least this much are one object

Flags = NDArray[np.bool_]


def overlaps(
    found: NDArray[np.float32], truth: NDArray[np.float32], crowd: Flags | None = None
) -> NDArray[np.float64]:
    """(n, m) intersection over union; over the found box's area alone where truth is a crowd."""
    crowd = np.zeros(len(truth), np.bool_) if crowd is None else crowd
    a, b = found.astype(np.float64)[:, None], truth.astype(np.float64)[None]
    low, high = np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., 2:], b[..., 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    area_a, area_b = ((box[..., 2:] - box[..., :2]).prod(axis=2) for box in (a, b))
    union = np.where(crowd[None], area_a, area_a + area_b - shared)
    return np.asarray(shared / np.maximum(union, 1e-9), np.float64)


def iou_counts(truth: Flags, found: Flags) -> tuple[int, int]:
    """Pixels in both, and in either."""
    return int((truth & found).sum()), int((truth | found).sum())

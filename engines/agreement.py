"""Measure how far what two engines find agrees: overlaps, and figures with their limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

IOU = 0.5  # boxes that overlap at least this much are one object

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits within which results may differ.

    Attributes:
        iou_mean: minimum mean overlap of boxes found by both.
        iou_min: minimum overlap of any of them.
        score: maximum mean difference of their scores.
        score_max: maximum difference of any score.
        lost: maximum share of boxes that one side alone has.
        margin: boxes whose score is nearer to its threshold need not be on both sides.
        plane_iou: minimum overlap of a plane, over all images.
        cosine: minimum cosine of the angle between two vectors.
    """

    iou_mean: float
    iou_min: float
    score: float
    score_max: float
    lost: float
    margin: float
    plane_iou: float
    cosine: float


class Figure(NamedTuple):
    """One number of a comparison, with at most one limit; without one it is only reported."""

    value: float
    at_least: float | None = None
    at_most: float | None = None

    @property
    def limit(self) -> float | None:
        """The limit, whichever it is."""
        return self.at_most if self.at_least is None else self.at_least

    @property
    def bound(self) -> str:
        """The limit's direction, in words."""
        return "at most" if self.at_least is None else "at least"

    @property
    def is_missed(self) -> bool:
        """True if the value is beyond its limit."""
        if self.at_least is not None:
            return self.value < self.at_least
        return self.at_most is not None and self.value > self.at_most


def overlaps(
    found: NDArray[np.floating], truth: NDArray[np.floating], crowd: Flags | None = None
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

"""Boxes of objects, from a detector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from engines.agreement import IOU, Figure, Limits, overlaps
from engines.found.base import Agreement, Found, Mirrored
from engines.inference import Inference, View
from engines.placement import Size
from mirante.detections import Detections

_AGREED = 0.5  # share of the scores; right feeding had .54 and more, wrong up to .44


class BoxAgreement(Agreement):
    """Boxes that are missing or too many, how far they moved, how much surer or less sure."""

    def __init__(self, thresholds: NDArray[np.float32], limits: Limits) -> None:
        super().__init__(thresholds, limits)
        self._iou: list[float] = []
        self._score: list[float] = []
        self._reference = self._missing = self._extra = self._sure = 0

    def add(self, expected: Inference, got: Inference, size: Size) -> None:
        """Compare the boxes of one more image."""
        a, b = expected.detections, got.detections
        paired = pairs(a, b, self.overlap(a, b))
        self._reference += len(a)
        self._missing += self._unpaired(a, [one for one, _, _ in paired])
        self._extra += self._unpaired(b, [other for _, other, _ in paired])
        self._iou += [iou for _, _, iou in paired]
        self._score += [abs(float(a.score[one] - b.score[other])) for one, other, _ in paired]
        for one, other, _ in paired:
            self.add_pair(a.select(one), b.select(other), size)

    def add_pair(self, expected: Detections, got: Detections, size: Size) -> None:
        """Compare what belongs to one object that both found, besides its box."""

    @staticmethod
    def overlap(one: Detections, other: Detections) -> NDArray[np.float64]:
        """Return the (n, m) overlaps of the boxes of both."""
        return overlaps(one.xyxy, other.xyxy)

    def _unpaired(self, found: Detections, paired: list[int]) -> int:
        """Count the boxes that are surely above their thresholds, and return those without pair."""
        sure = found.score >= self.thresholds[found.class_id] + self.limits.margin
        self._sure += int(sure.sum())
        sure[paired] = False
        return int(sure.sum())

    def figures(self) -> dict[str, Figure]:
        """Return how many boxes there are, are lost, and how far the others differ."""
        if not self._iou and not self._missing:
            return {}
        lost = (self._missing + self._extra) / max(self._sure, 1)
        iou, score, limits = self._iou, self._score, self.limits
        return {
            "boxes": Figure(float(self._reference)),
            "missing": Figure(float(self._missing)),
            "extra": Figure(float(self._extra)),
            "lost": Figure(lost, at_most=limits.lost),
            "iou mean": Figure(float(np.mean(iou)) if iou else 0.0, at_least=limits.iou_mean),
            "iou min": Figure(min(iou, default=0.0), at_least=limits.iou_min),
            "score mean": Figure(float(np.mean(score)) if score else 1.0, at_most=limits.score),
            "score max": Figure(max(score, default=1.0), at_most=limits.score_max),
        }


def pairs(
    expected: Detections, got: Detections, iou: NDArray[np.float64] | None = None
) -> list[tuple[int, int, float]]:
    """Return boxes of one class that overlap, those that overlap most first, each once.

    ``iou`` are the (n, m) overlaps; None for those of the upright boxes.
    """
    if iou is None:
        iou = overlaps(expected.xyxy, got.xyxy)
    iou = np.where(expected.class_id[:, None] == got.class_id[None], iou, 0)
    found: list[tuple[int, int, float]] = []
    for place in np.argsort(-iou, axis=None, kind="stable"):
        a, b = (int(index) for index in np.unravel_index(place, iou.shape))
        best = float(iou[a, b])
        if best < IOU:
            break
        if all(a != left and b != right for left, right, _ in found):
            found.append((a, b, best))
    return found


@dataclass(frozen=True, eq=False)
class Boxes(Found):
    """The boxes that a detector's decoder gives.

    Attributes:
        xyxy: (n, 4) float32, left, top, right, bottom in pixels of the input tensor.
        score: (n,) float32 in 0..1, at or above the threshold of its class.
        class_id: (n,) int32, index into ``Spec.labels``.
    """

    task = "detect"
    gives = "boxes"
    maker = "a detector"
    verb = "finds"
    needs_threshold = True
    usual_threshold = 0.4
    finds_boxes = True
    keeps_classes = True
    agreement = BoxAgreement

    xyxy: NDArray[np.float32]
    score: NDArray[np.float32]
    class_id: NDArray[np.int32]

    def select(self, index: NDArray[Any]) -> Self:
        """Return the boxes at ``index``, integers or a bool mask, with all that is theirs."""
        return replace(
            self, xyxy=self.xyxy[index], score=self.score[index], class_id=self.class_id[index]
        )

    def only(self, cut: tuple[int, ...]) -> Self:
        """Return the boxes of these classes."""
        number = np.full(max(*cut, *self.class_id, 0) + 1, -1, np.int32)
        number[list(cut)] = np.arange(len(cut))
        class_id = number[self.class_id]
        return replace(self, class_id=class_id).select(class_id >= 0)

    @classmethod
    def certainty(cls, seen: Sequence[Mirrored]) -> NDArray[np.float64]:
        """Return (n,) the scores of boxes that are in the mirror image, too, the lower of both.

        Where most boxes are not, all are chance.
        """
        agreed, all_ = [], 0.0
        for each in seen:
            a, b = each.found.detections, each.mirrored.detections
            left, top, right, bottom = b.xyxy.T
            back = np.stack([each.width - right, top, each.width - left, bottom], axis=1)
            both = pairs(a, b, overlaps(a.xyxy, back))
            agreed.append(sum(min(float(a.score[i]), float(b.score[j])) for i, j, _ in both))
            all_ += float(a.score.sum() + b.score.sum())
        values = np.array(agreed, np.float64)
        return values if 2 * values.sum() >= _AGREED * all_ else np.zeros_like(values)

    def to_source(self, view: View) -> Inference:
        """Return objects; those wholly outside the frame are left out."""
        xyxy, inside = view.boxes(self.xyxy)
        score = np.minimum(self.score[inside], np.float32(1))  # 8 bits may round beyond it
        return Inference(Detections(xyxy[inside], score, self.class_id[inside], view.labels))

"""The kinds of findings, a class each: boxes, planes, attributes; and their table.

A kind knows how it comes to source pixels, which threshold its models have, what its labels mean to
other stages, and how the parity gate compares it. Nothing else asks a model for its task.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from engines.agreement import IOU, Figure, Limits, iou_counts, overlaps
from engines.inference import Inference, View, summed
from engines.placement import Size
from mirante.detections import Attribute, Detections
from mirante.frame import FrameResult
from mirante.mask import Mask

_LEAST_PLANE_PX = 50  # a plane of fewer pixels in all images together was not seen


class Agreement(ABC):
    """The agreement of two engines' findings in the same images, in terms of the kind.

    Args:
        thresholds: (labels,) of the model; NaN where it has none.
        limits: what may differ.
    """

    def __init__(self, thresholds: NDArray[np.float32], limits: Limits) -> None:
        self.thresholds, self.limits = thresholds, limits

    @abstractmethod
    def add(self, expected: Inference, got: Inference, size: Size) -> None:
        """Compare what both found in one more image of ``size``."""

    @abstractmethod
    def figures(self) -> dict[str, Figure]:
        """Return the figures of all images, by name; none where nothing is found in them."""


class Found(ABC):
    """The findings of a decoder in one image, in pixels of the input tensor.

    Attributes:
        task: what manifests call a model that gives it.
        gives: its name, in messages.
        maker: such a model, in messages.
        verb: what such a model does with its labels, before a list of them.
        needs_threshold: every manifest of such a model has a threshold.
        usual_threshold: of a model that is imported without one; None for none.
        finds_boxes: the labels are classes of boxes, on whose crops later models may run.
        finds_masks: the labels are names of masks.
        needs_boxes: in a camera's stages it says something about the boxes of another model.
        agreement: compares two engines of such a model.
    """

    task: ClassVar[str]
    gives: ClassVar[str]
    maker: ClassVar[str]
    verb: ClassVar[str]
    needs_threshold: ClassVar[bool] = False
    usual_threshold: ClassVar[float | None] = None
    finds_boxes: ClassVar[bool] = False
    finds_masks: ClassVar[bool] = False
    needs_boxes: ClassVar[bool] = False
    agreement: ClassVar[type[Agreement]]

    @abstractmethod
    def to_source(self, view: View) -> Inference:
        """Return it in pixels of the source frame, as part of that frame's result."""

    @classmethod
    def join(cls, found: Inference, result: FrameResult) -> FrameResult:
        """Return a frame's result with what a model of this kind found in the frame.

        Boxes are added; masks and attributes go to the box whose crop they were found in, masks of
        the whole frame to the frame.
        """
        detections = result.detections
        if cls.finds_boxes:  # the labels of others are no classes of boxes
            detections = detections.merge(found.detections)
        of_box = {index: said for index, said in found.attributes.items() if index is not None}
        owned = [(m.object_index, m) for m in found.masks if m.object_index is not None]
        of_frame = [mask for mask in found.masks if mask.object_index is None]
        return replace(
            result,
            detections=detections.with_attributes(of_box).with_masks(owned),
            masks=(*result.masks, *of_frame),
            timings=summed(result.timings, found.timings),
        )


class _BoxAgreement(Agreement):
    """Boxes that are missing or too many, how far they moved, how much surer or less sure."""

    def __init__(self, thresholds: NDArray[np.float32], limits: Limits) -> None:
        super().__init__(thresholds, limits)
        self._iou: list[float] = []
        self._score: list[float] = []
        self._reference = self._missing = self._extra = self._sure = 0

    def add(self, expected: Inference, got: Inference, size: Size) -> None:
        a, b = expected.detections, got.detections
        pairs = _pairs(a, b)
        self._reference += len(a)
        self._missing += self._unpaired(a, [one for one, _, _ in pairs])
        self._extra += self._unpaired(b, [other for _, other, _ in pairs])
        self._iou += [iou for _, _, iou in pairs]
        self._score += [abs(float(a.score[one] - b.score[other])) for one, other, _ in pairs]

    def _unpaired(self, found: Detections, paired: list[int]) -> int:
        """Count the boxes that are surely above their thresholds, and return those without pair."""
        sure = found.score >= self.thresholds[found.class_id] + self.limits.margin
        self._sure += int(sure.sum())
        sure[paired] = False
        return int(sure.sum())

    def figures(self) -> dict[str, Figure]:
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


def _pairs(expected: Detections, got: Detections) -> list[tuple[int, int, float]]:
    """Return boxes of one class that overlap, those that overlap most first, each once."""
    iou = overlaps(expected.xyxy, got.xyxy)
    iou = np.where(expected.class_id[:, None] == got.class_id[None], iou, 0)
    pairs: list[tuple[int, int, float]] = []
    for place in np.argsort(-iou, axis=None, kind="stable"):
        a, b = (int(index) for index in np.unravel_index(place, iou.shape))
        best = float(iou[a, b])
        if best < IOU:
            break
        if all(a != left and b != right for left, right, _ in pairs):
            pairs.append((a, b, best))
    return pairs


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
    agreement = _BoxAgreement

    xyxy: NDArray[np.float32]
    score: NDArray[np.float32]
    class_id: NDArray[np.int32]

    def select(self, index: NDArray[Any]) -> Self:
        """Return the boxes at ``index``, integers or a bool mask, with all that is theirs."""
        return replace(
            self, xyxy=self.xyxy[index], score=self.score[index], class_id=self.class_id[index]
        )

    def to_source(self, view: View) -> Inference:
        """Return objects; those wholly outside the frame are left out."""
        xyxy, inside = view.boxes(self.xyxy)
        score, class_id = self.score[inside], self.class_id[inside]
        return Inference(Detections(xyxy[inside], score, class_id, view.labels))


class _PlaneAgreement(Agreement):
    """The overlap of each plane, over all images."""

    def __init__(self, thresholds: NDArray[np.float32], limits: Limits) -> None:
        super().__init__(thresholds, limits)
        self._counts: dict[str, tuple[int, int]] = {}

    def add(self, expected: Inference, got: Inference, size: Size) -> None:
        for one, other in zip(expected.masks, got.masks, strict=True):
            for name in one.labels:
                # In the image: the planes of both may be of different sizes.
                counts = iou_counts(one.on_frame(name, *size), other.on_frame(name, *size))
                before = self._counts.get(name, (0, 0))
                self._counts[name] = (before[0] + counts[0], before[1] + counts[1])

    def figures(self) -> dict[str, Figure]:
        return {
            f"iou of {name}": Figure(both / either, at_least=self.limits.plane_iou)
            for name, (both, either) in self._counts.items()
            if either >= _LEAST_PLANE_PX
        }


@dataclass(frozen=True, eq=False)
class Planes(Found):
    """The planes that a segmenter's decoder gives.

    Attributes:
        planes: (len(Spec.labels), height, width) bool, of the input tensor or coarser.
    """

    task = "segment"
    gives = "planes"
    maker = "a segmenter"
    verb = "masks of"
    usual_threshold = 0.5
    finds_masks = True
    agreement = _PlaneAgreement

    planes: NDArray[np.bool_]

    def to_source(self, view: View) -> Inference:
        """Return one mask, of the frame or of the box whose crop was looked at."""
        shown, xyxy = view.planes(self.planes)
        mask = Mask.from_planes(view.labels, shown, xyxy, view.model, view.index)
        return Inference(Detections.empty(view.labels), (mask,))


class _LabelAgreement(Agreement):
    """The share of images on which both agree."""

    def __init__(self, thresholds: NDArray[np.float32], limits: Limits) -> None:
        super().__init__(thresholds, limits)
        self._pairs: list[tuple[Attribute, Attribute | None]] = []

    def add(self, expected: Inference, got: Inference, size: Size) -> None:
        said = got.attributes.get(None, {})
        self._pairs += [(a, said.get(name)) for name, a in expected.attributes[None].items()]

    def figures(self) -> dict[str, Figure]:
        if not self._pairs:
            return {}
        same = [(a.score, b.score) for a, b in self._pairs if b is not None and a.label == b.label]
        apart = max((abs(a - b) for a, b in same), default=0.0)
        return {
            "attributes": Figure(float(len(self._pairs))),
            "same label": Figure(len(same) / len(self._pairs), at_least=1 - self.limits.lost),
            "score max": Figure(apart, at_most=self.limits.score_max),
        }


@dataclass(frozen=True, eq=False)
class Attributes(Found):
    """The attributes that a classifier's decoder gives.

    Attributes:
        said: of the image, by name; "" stands for the model's own name.
    """

    task = "classify"
    gives = "attributes"
    maker = "a classifier"
    verb = "tells"
    needs_boxes = True
    agreement = _LabelAgreement

    said: Mapping[str, Attribute]

    def to_source(self, view: View) -> Inference:
        """Return attributes of the frame, or of the box whose crop was looked at."""
        said = {name or view.model: attribute for name, attribute in self.said.items()}
        return Inference(Detections.empty(view.labels), attributes={view.index: said})


# The kinds, by a manifest's ``task``.
KINDS: Mapping[str, type[Found]] = {kind.task: kind for kind in (Boxes, Planes, Attributes)}
TASKS = " or ".join(", ".join(map(repr, KINDS)).rsplit(", ", 1))  # in messages


def kind_of(task: str) -> type[Found]:
    """Return the kind of finding that models of a task give.

    Raises:
        ValueError: there is no such task; names those that there are.
    """
    if task not in KINDS:
        raise ValueError(f"task: expected {TASKS}, got {task!r}")
    return KINDS[task]


def as_found(given: Any) -> Found:
    """Return what a decoder gave as its kind.

    A decoder of a user's own may also give a bare array of planes, or a dict of attributes.
    """
    if isinstance(given, Found):
        return given
    return Attributes(given) if isinstance(given, Mapping) else Planes(given)

"""The gate: what an engine finds in real pictures against what ONNX Runtime finds in float32.

Measured in terms of the task, not of tensors: boxes that are missing or too many, how far they
moved, how much surer or less sure; planes by their overlap.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engines.builder.agreement import IOU, iou_counts, overlaps
from engines.builder.builders import BuildError, Precision
from engines.builder.frames import Rgb
from engines.model import Inference
from mirante.detections import Attribute, Detections
from mirante.mask import Mask

_LEAST_PLANE_PX = 50  # a plane of fewer pixels in all pictures together was not seen


class ParityError(BuildError):
    """An engine finds something else than its source; the message says by how much."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits within which results may differ.

    Attributes:
        iou_mean: least mean overlap of boxes found by both.
        iou_min: least overlap of any of them.
        score: largest mean difference of their scores.
        score_max: largest difference of any score.
        lost: largest share of boxes that one side alone has.
        margin: boxes whose score is nearer to its threshold need not be on both sides.
        plane_iou: least overlap of a plane, over all pictures.
    """

    iou_mean: float
    iou_min: float
    score: float
    score_max: float
    lost: float
    margin: float
    plane_iou: float


LIMITS: Mapping[Precision, Limits] = {
    "fp32": Limits(0.99, 0.95, 0.005, 0.02, 0.0, 0.02, 0.99),
    "fp16": Limits(0.98, 0.80, 0.02, 0.05, 0.01, 0.05, 0.98),
    "int8": Limits(0.85, 0.50, 0.06, 0.30, 0.10, 0.10, 0.80),
}


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of a comparison.

    Attributes:
        of: ``engine``, or ``graph`` where the engine cannot run here.
        frames: where the pictures came from.
        pictures: how many.
        figures: by name.
        limits: of the figures, by name; a figure without one is told and not judged.
        missed: what fails, in words with figure and limit; empty where it passed.
    """

    of: str
    frames: str
    pictures: int
    figures: Mapping[str, float]
    limits: Mapping[str, float]
    missed: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """True if every figure is within its limit."""
        return not self.missed

    def to_dict(self) -> dict[str, Any]:
        """For ``build.json``."""
        return {**asdict(self), "missed": list(self.missed), "passed": self.passed}

    def __str__(self) -> str:
        return told(self.to_dict())


def told(report: Mapping[str, Any]) -> str:
    """A report as ``build.json`` has it, in words."""
    figures = ", ".join(_words(name, value) for name, value in report["figures"].items())
    return f"{figures}; {report['pictures']} pictures of {report['frames']}"


class Finds(Protocol):
    """A model, loaded."""

    def __call__(self, rgb: Rgb) -> Inference:
        """Return what it finds in an image."""


@dataclass
class _Boxes:
    """The running account of the boxes of all images."""

    iou: list[float] = field(default_factory=list)
    score: list[float] = field(default_factory=list)
    reference: int = 0
    missing: int = 0
    extra: int = 0
    sure: int = 0


def compare(
    reference: Finds,
    candidate: Finds,
    pictures: Iterable[Rgb],
    limits: Limits,
    thresholds: NDArray[np.float32],
) -> tuple[dict[str, float], dict[str, float]]:
    """Figures and their limits, by name.

    Args:
        reference: the source in float32 by ONNX Runtime.
        candidate: what is judged, with the same labels and thresholds.
        pictures: real ones.
        limits: see there.
        thresholds: (labels,) of the model; NaN where it has none.

    Raises:
        BuildError: there is nothing in the pictures, so that nothing is proved.
    """
    boxes = _Boxes()
    planes: dict[str, tuple[int, int]] = {}
    labels: list[tuple[Attribute, Attribute | None]] = []
    for rgb in pictures:
        expected, got = reference(rgb), candidate(rgb)
        if expected.attributes or got.attributes:
            said = got.attributes.get(None, {})
            labels += [(a, said.get(name)) for name, a in expected.attributes[None].items()]
        elif expected.masks or got.masks:
            _add_planes(planes, expected.masks, got.masks, (rgb.shape[1], rgb.shape[0]))
        else:
            _add_boxes(boxes, expected.detections, got.detections, thresholds, limits.margin)
    if labels:
        return _judge_labels(labels, limits)
    if planes:
        return _judge_planes(planes, limits)
    return _judge_boxes(boxes, limits)


def report(
    of: str,
    frames: str,
    pictures: Sequence[Rgb],
    found: tuple[dict[str, float], dict[str, float]],
) -> Report:
    """Report what ``compare`` found, naming in words what fails."""
    figures, limits = found
    missed = tuple(
        f"{_words(name, figures[name])} where {_bound(name)} {_number(limit)} is allowed"
        for name, limit in limits.items()
        if (figures[name] < limit if _is_least(name) else figures[name] > limit)
    )
    return Report(of, frames, len(pictures), figures, limits, missed)


def _judge_boxes(boxes: _Boxes, limits: Limits) -> tuple[dict[str, float], dict[str, float]]:
    if not boxes.iou and not boxes.missing:
        raise BuildError("parity: the model finds nothing in these pictures, so nothing is proved")
    lost = (boxes.missing + boxes.extra) / max(boxes.sure, 1)
    figures = {
        "boxes": float(boxes.reference),
        "missing": float(boxes.missing),
        "extra": float(boxes.extra),
        "lost": lost,
        "iou mean": float(np.mean(boxes.iou)) if boxes.iou else 0.0,
        "iou min": min(boxes.iou, default=0.0),
        "score mean": float(np.mean(boxes.score)) if boxes.score else 1.0,
        "score max": max(boxes.score, default=1.0),
    }
    return figures, {
        "lost": limits.lost,
        "iou mean": limits.iou_mean,
        "iou min": limits.iou_min,
        "score mean": limits.score,
        "score max": limits.score_max,
    }


def _judge_labels(
    labels: Sequence[tuple[Attribute, Attribute | None]], limits: Limits
) -> tuple[dict[str, float], dict[str, float]]:
    """Of classifiers, each on whole pictures."""
    same = [(a.score, b.score) for a, b in labels if b is not None and a.label == b.label]
    figures = {
        "attributes": float(len(labels)),
        "same label": len(same) / len(labels),
        "score max": max((abs(a - b) for a, b in same), default=0.0),
    }
    return figures, {"same label": 1 - limits.lost, "score max": limits.score_max}


def _judge_planes(
    planes: Mapping[str, tuple[int, int]], limits: Limits
) -> tuple[dict[str, float], dict[str, float]]:
    seen = {
        f"iou of {name}": both / either
        for name, (both, either) in planes.items()
        if either >= _LEAST_PLANE_PX
    }
    if not seen:
        raise BuildError("parity: the model finds nothing in these pictures, so nothing is proved")
    return seen, dict.fromkeys(seen, limits.plane_iou)


def _add_planes(
    planes: dict[str, tuple[int, int]],
    expected: Sequence[Mask],
    got: Sequence[Mask],
    size: tuple[int, int],
) -> None:
    for one, other in zip(expected, got, strict=True):
        for name in one.labels:
            # In the picture: the planes of both may be of different sizes.
            counts = iou_counts(one.on_frame(name, *size), other.on_frame(name, *size))
            before = planes.get(name, (0, 0))
            planes[name] = (before[0] + counts[0], before[1] + counts[1])


def _add_boxes(
    boxes: _Boxes,
    expected: Detections,
    got: Detections,
    thresholds: NDArray[np.float32],
    margin: float,
) -> None:
    pairs = _pairs(expected, got)
    boxes.reference += len(expected)
    for found, paired, which in (
        (expected, [a for a, _, _ in pairs], "missing"),
        (got, [b for _, b, _ in pairs], "extra"),
    ):
        sure = found.score >= thresholds[found.class_id] + margin
        boxes.sure += int(sure.sum())
        sure[paired] = False
        setattr(boxes, which, getattr(boxes, which) + int(sure.sum()))
    boxes.iou += [iou for _, _, iou in pairs]
    boxes.score += [abs(float(expected.score[a] - got.score[b])) for a, b, _ in pairs]


def _pairs(expected: Detections, got: Detections) -> list[tuple[int, int, float]]:
    """Boxes of one class that overlap, those that overlap most first, each once."""
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


def _is_least(name: str) -> bool:
    return name.startswith("iou") or name == "same label"


def _bound(name: str) -> str:
    return "at least" if _is_least(name) else "at most"


def _number(value: float) -> str:
    return f"{value:.4g}"


def _words(name: str, value: float) -> str:
    if name in ("boxes", "missing", "extra", "attributes"):
        return f"{value:.0f} {name}"
    return f"{name} {_number(value)}"

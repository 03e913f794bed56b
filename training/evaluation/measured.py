"""A whole measurement: from names to figures, tables and JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from engines.fit import thresholds
from engines.found import Boxes, Found, Planes
from engines.head import check_labels
from engines.manifest import Manifest, ManifestError, find
from engines.model import Model, load
from training.datasets import BoxSet, DatasetError, MaskSet
from training.evaluation.data import open_data
from training.evaluation.detector import DetectorFigures, evaluate_detector
from training.evaluation.framed import Detector, Framed
from training.evaluation.pairing import Pairing, pair
from training.evaluation.pictures import Picture, Pictures
from training.evaluation.request import Request
from training.evaluation.segmenter import SegmenterFigures, evaluate_segmenter
from training.evaluation.tables import Table, detector_tables, plain, segmenter_tables
from training.evaluation.truth import (
    BoxTruth,
    DrawnBoxes,
    DrawnPlanes,
    NoBoxes,
    SeenBoxes,
    SeenPlanes,
)

Watch = Callable[[Pictures], Iterable[Picture]]

LEAST_SCORE = 0.01  # AP wants the doubtful boxes too
NAMED = 8  # classes in a note


@dataclass(frozen=True, slots=True)
class Measured:
    """The result of a measurement.

    Attributes:
        request: what was asked for.
        pairing: the classes that were measured, and those left out.
        figures: of a detector or a segmenter.
    """

    request: Request
    pairing: Pairing
    figures: DetectorFigures | SegmenterFigures

    @property
    def notes(self) -> list[str]:
        """Return what must be known to read the figures, a line each."""
        asked = self.request
        of = "none of the classes is there" if asked.empty else "the images' labels"
        of = f"{asked.truth}'s answers" if asked.truth else of
        if asked.truth and asked.truth_threshold is not None:
            of += f" of {asked.truth_threshold:g} and above"
        lines = [f"{asked.model} on {self.figures.pictures} images of {asked.choice}"]
        if asked.frame:
            lines.append(f"each fitted into a frame of {asked.frame[0]}x{asked.frame[1]}")
        lines.append(f"truth: {of}")
        for side, names in (("model", self.pairing.model_only), ("truth", self.pairing.truth_only)):
            if names:
                lines.append(f"left out, of the {side} alone: {_some(names)}")
        return lines

    def tables(self) -> list[Table]:
        """Headings and rows of all tables."""
        if isinstance(self.figures, DetectorFigures):
            return detector_tables(self.figures)
        return segmenter_tables(self.figures)

    def json(self) -> str:
        """All figures, NaN as null."""
        asked = self.request
        data: dict[str, Any] = {
            "model": asked.model,
            "data": str(asked.choice),
            "truth": asked.truth or ("empty" if asked.empty else "labels"),
            "truth_threshold": asked.truth_threshold,
            "threshold": asked.threshold,
            "classes": self.pairing.labels,
            "match": dict(asked.match),
            "detector": asked.detector,
            "on": asked.on,
            "least_share": dict(asked.least_share),
            "frame": asked.frame,
            "least_side_px": asked.least_side_px,
            "tolerance_px": asked.tolerance_px,
            "left_out": {"model": self.pairing.model_only, "truth": self.pairing.truth_only},
            **plain(self.figures),
        }
        return json.dumps(data, indent=1) + "\n"


def measure(request: Request, watch: Watch = iter) -> Measured:
    """Runs a model on images and compares it with the truth.

    Args:
        request: what to measure.
        watch: the images go through it one by one, for a display of progress.

    Raises:
        DatasetError: the images or their labels are not as expected.
        EvaluationError: pycocotools is not installed.
        ManifestError: there is no such model, or one for another task.
        ModelUnavailableError: a model's file is not available anywhere.
        ValueError: options that do not go together, naming them.
    """
    manifest = find(request.model)
    kind = next((each for each in MEASURES if issubclass(manifest.kind, each)), None)
    if kind is None:
        known = " or ".join(each.maker for each in MEASURES)
        maker = manifest.kind.maker
        raise ManifestError(
            f"{manifest.name}: expected {known}, it is {maker}, for which no labels are read"
        )
    if request.truth is not None and not issubclass(other := find(request.truth).kind, kind):
        raise ManifestError(f"truth: expected {kind.maker}, {request.truth} is {other.maker}")
    return MEASURES[kind](request, manifest, watch)


def _detector(request: Request, manifest: Manifest, watch: Watch) -> Measured:
    if request.detector or request.on or request.least_share:
        raise ValueError("on-detector, on and least-share: expected with a segmenter only")
    if request.empty and request.truth is not None:
        raise ValueError(f"empty: expected without a truth, got {request.truth}")
    least = thresholds(manifest, request.threshold)
    labelled = request.truth is None and not request.empty
    pictures, labels = open_data(request.choice, Boxes, labelled)
    truth: BoxTruth
    if isinstance(labels, BoxSet):
        truth = DrawnBoxes(labels)
    else:
        truth = NoBoxes(manifest.labels) if request.empty else SeenBoxes(_teacher(request))
    model: Detector = load(request.model, threads=request.threads, threshold=LEAST_SCORE)
    if request.frame is not None:
        model = Framed(model, request.frame)
    pairing = pair(model.labels, truth.labels, request.match, request.classes)
    found = evaluate_detector(model, least, watch(pictures), truth, pairing, request.least_side_px)
    return Measured(request, pairing, found)


def _segmenter(request: Request, _: Manifest, watch: Watch) -> Measured:
    if request.least_side_px or request.frame or request.empty:
        raise ValueError("least-side, frame and empty: expected with a detector only")
    detector = load(request.detector, threads=request.threads) if request.detector else None
    on = _class_of(request, detector)
    pictures, labels = open_data(request.choice, Planes, labelled=request.truth is None)
    truth = (
        DrawnPlanes(labels)
        if isinstance(labels, MaskSet)
        else SeenPlanes(_teacher(request, on), detector)
    )
    check_labels("least-share", request.least_share, truth.labels)
    model = load(request.model, threads=request.threads, threshold=request.threshold, on=on)
    pairing = pair(model.labels, truth.labels, request.match, request.classes)
    found = evaluate_segmenter(
        SeenPlanes(model, detector),
        watch(pictures),
        truth,
        pairing,
        request.tolerance_px,
        request.least_share,
    )
    if not found.pictures:
        raise DatasetError(f"least-share: no image has {dict(request.least_share)}")
    return Measured(request, pairing, found)


MEASURES: Mapping[type[Found], Callable[[Request, Manifest, Watch], Measured]] = {
    Boxes: _detector,
    Planes: _segmenter,
}


def _teacher(request: Request, on: str | None = None) -> Model:
    assert request.truth is not None
    return load(request.truth, threads=request.threads, threshold=request.truth_threshold, on=on)


def _class_of(request: Request, detector: Model | None) -> str | None:
    if detector is None:
        if request.on:
            raise ValueError(f"on: expected with on-detector only, got {request.on}")
        return None
    if not (labels := detector.manifest.box_labels):
        raise ValueError(f"on-detector: expected a detector, {detector.name} is none")
    on = request.on or (labels[0] if len(labels) == 1 else None)
    if on is None:
        raise ValueError(f"on: expected a class of {detector.name}: {', '.join(labels)}")
    check_labels("on", [on], labels)
    return on


def _some(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:NAMED])
    return shown if len(names) <= NAMED else f"{shown} and {len(names) - NAMED} more"

"""A detector's figures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.average_precision import average_precision
from training.evaluation.framed import Detector
from training.evaluation.matching import Found, Truth, Verdict, confuse, judge
from training.evaluation.pairing import Pairing, numbers
from training.evaluation.pictures import Picture
from training.evaluation.truth import BoxTruth
from training.evaluation.worst import Worst, draw_boxes


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """One class; shares are 0..1, NaN where nothing can be said.

    Attributes:
        label: the model's name of it.
        boxes: of the truth that count.
        uncounted: of the truth that do not: crowds, and boxes below the least side.
        ap: mean over the overlaps .5:.05:.95.
        ap50: at an overlap of .5.
        threshold: least score of the figures that follow, at an overlap of .5.
        hits: found and there.
        false: found and not there.
        missed: there and not found.
    """

    label: str
    boxes: int
    uncounted: int
    ap: float
    ap50: float
    threshold: float
    hits: int
    false: int
    missed: int

    @property
    def precision(self) -> float:
        """Share of what was found that is there."""
        return _share(self.hits, self.hits + self.false)

    @property
    def recall(self) -> float:
        """Share of what is there that was found."""
        return _share(self.hits, self.hits + self.missed)


@dataclass(slots=True)
class EmptyFigures:
    """False alarms in the images of which the truth has no box, counted or not.

    Attributes:
        pictures: images that show none of the classes.
        with_false: those of them in which something was found, at the thresholds.
        false: boxes found in them.
    """

    pictures: int = 0
    with_false: int = 0
    false: int = 0

    def count(self, false: int) -> None:
        """Count one image with so many false boxes."""
        self.pictures += 1
        self.with_false += false > 0
        self.false += false


@dataclass(frozen=True, slots=True)
class DetectorFigures:
    """All figures of a detector.

    Attributes:
        images: how many.
        classes: those that both sides know.
        confusion: (classes + 1, classes + 1) rows of the truth, columns of what was found, the
            background last; at the thresholds and an overlap of .5.
        empty: false alarms where nothing is.
        worst: the images with the lowest F1.
    """

    pictures: int
    classes: tuple[ClassFigures, ...]
    confusion: NDArray[np.int64]
    empty: EmptyFigures
    worst: Worst

    @property
    def ap(self) -> float:
        """Mean over the classes that are there."""
        return _mean([figures.ap for figures in self.classes])

    @property
    def ap50(self) -> float:
        """Mean over the classes that are there."""
        return _mean([figures.ap50 for figures in self.classes])

    @property
    def ap_by_boxes(self) -> float:
        """Mean over the classes by their boxes, so that a class of two boxes says little."""
        return self._by_boxes([figures.ap for figures in self.classes])

    @property
    def ap50_by_boxes(self) -> float:
        """Mean over the classes by their boxes."""
        return self._by_boxes([figures.ap50 for figures in self.classes])

    def _by_boxes(self, values: list[float]) -> float:
        boxes = [figures.boxes for figures in self.classes]
        return float(np.average(np.nan_to_num(values), weights=boxes)) if any(boxes) else np.nan


def evaluate_detector(
    model: Detector,
    thresholds: NDArray[np.float32],
    pictures: Iterable[Picture],
    truth: BoxTruth,
    pairing: Pairing,
    least_side_px: float = 0.0,
) -> DetectorFigures:
    """Runs a detector and compares.

    Args:
        model: loaded with so low a threshold that its AP is whole, such as .01.
        thresholds: (len(model.labels),) of use, for precision, recall and confusion.
        images: each is run once.
        truth: what is there.
        pairing: of the model's classes and the truth's.
        least_side_px: truth whose shorter side is below this does not count.

    Raises:
        DatasetError: an image cannot be read.
        EvaluationError: pycocotools is not installed.
    """
    count = len(pairing.labels)
    of_model = numbers(model.labels, pairing.labels)
    of_truth = numbers(truth.labels, pairing.partners)
    least = np.array([thresholds[model.labels.index(label)] for label in pairing.labels])
    scenes: list[tuple[Truth, Found]] = []
    sums = np.zeros((count, 5), np.int64)
    confusion = np.zeros((count + 1, count + 1), np.int64)
    empty, worst = EmptyFigures(), Worst()
    for picture in pictures:
        there = _renumbered(truth(picture), of_truth)
        found = _found(model, picture, of_model)
        scenes.append((there, found))
        sure = found.select(found.score >= least[found.class_id])
        verdict = judge(there, sure, least_side_px)
        sums += _counts(there, sure, verdict, count)
        confusion += confuse(there, sure, count, least_side_px)
        if not len(there.class_id):
            empty.count(int(verdict.false.sum()))
        _keep(worst, picture, there, sure, verdict, pairing.labels)
    ap, ap50 = average_precision(scenes, count, least_side_px)
    rows = zip(
        pairing.labels, ap.tolist(), ap50.tolist(), least.tolist(), sums.tolist(), strict=True
    )
    classes = tuple(
        ClassFigures(label, boxes, uncounted, one, fifty, threshold, hits, false, missed)
        for label, one, fifty, threshold, (boxes, uncounted, hits, false, missed) in rows
    )
    return DetectorFigures(len(scenes), classes, confusion, empty, worst)


def _renumbered(truth: Truth, number: NDArray[np.int64]) -> Truth:
    class_id = number[truth.class_id]
    kept = class_id >= 0
    return Truth(truth.xyxy[kept], class_id[kept], truth.crowd[kept])


def _found(model: Detector, picture: Picture, number: NDArray[np.int64]) -> Found:
    seen = model(picture.rgb).detections
    class_id = number[seen.class_id]
    return Found(seen.xyxy, class_id, seen.score).select(class_id >= 0)


def _counts(truth: Truth, found: Found, verdict: Verdict, classes: int) -> NDArray[np.int64]:
    """(classes, 5): boxes that count, that do not, hits, false alarms, misses."""
    columns = [
        truth.class_id[verdict.counted],
        truth.class_id[~verdict.counted],
        found.class_id[verdict.hit],
        found.class_id[verdict.false],
        truth.class_id[verdict.missed],
    ]
    return np.stack([np.bincount(column, minlength=classes) for column in columns], axis=1)


def _keep(
    worst: Worst,
    picture: Picture,
    truth: Truth,
    found: Found,
    verdict: Verdict,
    labels: tuple[str, ...],
) -> None:
    hits, false, missed = (int(part.sum()) for part in (verdict.hit, verdict.false, verdict.missed))
    f1 = _share(2 * hits, 2 * hits + false + missed)
    caption = f"{picture.name}  F1 {f1:.2f}: {hits} found, {missed} missed, {false} false"
    worst.add(
        f1, missed + false, caption, lambda: draw_boxes(picture.rgb, truth, found, verdict, labels)
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else np.nan


def _mean(values: list[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else np.nan

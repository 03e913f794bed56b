"""A segmenter's figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engines.agreement import iou_counts
from training.evaluation.pairing import Pairing
from training.evaluation.pictures import Picture
from training.evaluation.planes import NONE, Near, boundary_counts, line_counts
from training.evaluation.truth import Planes, PlaneTruth, SeenPlanes
from training.evaluation.worst import Worst, draw_planes


@dataclass(slots=True)
class PlaneFigures:
    """One plane; shares are 0..1, NaN where nothing can be said.

    Attributes:
        label: the model's name of it.
        images: in which its truth is known.
        present: those in which it is there.
        shared: pixels that both sides have, over all images.
        either: pixels that one side has.
        ious: of each image in which one side has any.
        boundaries: F1 of the outline in each of these.
        line: pixels of one side near the other's, over all images.
    """

    label: str
    pictures: int = 0
    present: int = 0
    shared: int = 0
    either: int = 0
    ious: list[float] = field(default_factory=list)
    boundaries: list[float] = field(default_factory=list)
    line: Near = NONE

    @property
    def iou(self) -> float:
        """Over the pixels of all images together."""
        return self.shared / self.either if self.either else np.nan

    @property
    def mean_iou(self) -> float:
        """Mean of the images' own."""
        return float(np.mean(self.ious)) if self.ious else np.nan

    @property
    def boundary_f1(self) -> float:
        """Mean of the images' own."""
        return float(np.mean(self.boundaries)) if self.boundaries else np.nan

    def add(self, truth: NDArray[np.bool_], found: NDArray[np.bool_], tolerance_px: float) -> float:
        """Takes one image's planes; returns its IoU, NaN where both are empty."""
        self.pictures += 1
        self.present += bool(truth.any())
        shared, either = iou_counts(truth, found)
        if not either:
            return np.nan
        self.shared += shared
        self.either += either
        self.ious.append(shared / either)
        boundary = boundary_counts(truth, found, tolerance_px).f1
        if not np.isnan(boundary):  # a plane that fills the image has no outline
            self.boundaries.append(boundary)
        self.line += line_counts(truth, found, tolerance_px)
        return self.ious[-1]


@dataclass(frozen=True, slots=True)
class SegmenterFigures:
    """All figures of a segmenter.

    Attributes:
        images: how many.
        planes: those that both sides know.
        overlap: (planes + 1, planes + 1) pixels of both a plane of the truth (row) and one found
            (column); last what is in none of them. Planes may overlap, so rows may count a pixel
            more than once. Of images in which all planes are known.
        worst: the images with the lowest mean IoU.
    """

    pictures: int
    planes: tuple[PlaneFigures, ...]
    overlap: NDArray[np.int64]
    worst: Worst


def evaluate_segmenter(
    model: SeenPlanes,
    pictures: Iterable[Picture],
    truth: PlaneTruth,
    pairing: Pairing,
    tolerance_px: float = 2.0,
    least_share: Mapping[str, float] | None = None,
) -> SegmenterFigures:
    """Runs a segmenter and compares, at the images' resolution.

    Args:
        model: the segmenter.
        images: each is run once.
        truth: what is there.
        pairing: of the model's planes and the truth's.
        tolerance_px: how far an outline or a line may be off.
        least_share: only images of which these planes of the truth cover at least this share.

    Raises:
        DatasetError: an image or a mask cannot be read.
    """
    figures = tuple(PlaneFigures(label) for label in pairing.labels)
    overlap = np.zeros((len(figures) + 1,) * 2, np.int64)
    worst, count = Worst(), 0
    for picture in pictures:
        there = truth(picture)
        if not _covers(there, least_share or {}):
            continue
        count += 1
        found = model(picture)
        known = [
            (each, there[partner], found[label])
            for each, label, partner in zip(figures, pairing.labels, pairing.partners, strict=True)
            if partner in there
        ]
        ious = [each.add(true, seen, tolerance_px) for each, true, seen in known]
        if len(known) == len(figures):
            overlap += overlap_counts([row[1] for row in known], [row[2] for row in known])
        _keep(worst, picture, ious, known)
    return SegmenterFigures(count, figures, overlap, worst)


def overlap_counts(
    truth: list[NDArray[np.bool_]], found: list[NDArray[np.bool_]]
) -> NDArray[np.int64]:
    """(n + 1, n + 1) pixels that are in a plane of the truth (row) and in one found (column)."""
    rows, columns = ([*part, ~np.logical_or.reduce(part)] for part in (truth, found))
    return np.array([[int((a & b).sum()) for b in columns] for a in rows], np.int64)


def _covers(there: Planes, least_share: Mapping[str, float]) -> bool:
    return all(
        label in there and there[label].mean() >= share for label, share in least_share.items()
    )


def _keep(
    worst: Worst,
    picture: Picture,
    ious: list[float],
    known: list[tuple[PlaneFigures, NDArray[np.bool_], NDArray[np.bool_]]],
) -> None:
    said = [iou for iou in ious if not np.isnan(iou)]
    if not said:
        return
    each = ", ".join(f"{row[0].label} {iou:.2f}" for row, iou in zip(known, ious, strict=True))
    worst.add(
        float(np.mean(said)),
        sum(int((true != seen).sum()) for _, true, seen in known),
        f"{picture.name}  IoU {each}",
        lambda: draw_planes(picture.rgb, [row[1] for row in known], [row[2] for row in known]),
    )

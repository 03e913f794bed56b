"""IoU, outlines and lines of squares that are shifted, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.agreement import iou_counts
from training.evaluation.planes import NONE, Near, boundary_counts, line_counts, outline
from training.evaluation.segmenter import PlaneFigures, overlap_counts

SIDE = 20


def square(shift: int = 0) -> NDArray[np.bool_]:
    plane = np.zeros((40, 60), np.bool_)
    plane[10 : 10 + SIDE, 10 + shift : 10 + shift + SIDE] = True
    return plane


@pytest.mark.parametrize("shift", [0, 1, 5, 20, 25])
def test_iou(shift: int) -> None:
    shared = SIDE * max(0, SIDE - shift)
    assert iou_counts(square(), square(shift)) == (shared, 2 * SIDE * SIDE - shared)


def test_the_outline_is_one_pixel_wide_inside() -> None:
    ring = outline(square())
    assert ring.sum() == 4 * SIDE - 4
    assert not (ring & ~square()).any()
    half = np.zeros((10, 10), np.bool_)
    half[:, :5] = True  # cut by the image's edge on three sides, which is no outline
    assert outline(half).sum() == 10
    assert not outline(np.ones((10, 10), np.bool_)).any()


@pytest.mark.parametrize(
    ("shift", "near"),
    [
        (0, 76),
        (2, 76),
        # 3 px: the left side's 20 rows but the 3 next to the rows above and below are off, and
        # all of the right side's.
        (3, 76 - 14 - 20),
    ],
)
def test_the_outline_of_a_shifted_square(shift: int, near: int) -> None:
    counts = boundary_counts(square(), square(shift), tolerance_px=2)
    assert counts == Near((near, 76), (near, 76))
    assert counts.f1 == pytest.approx(near / 76)


@pytest.mark.parametrize(("shift", "f1"), [(0, 1), (2, 1), (3, 0)])
def test_a_thin_line_within_the_tolerance_is_right(shift: int, f1: float) -> None:
    line = np.zeros((40, 60), np.bool_)
    line[:, 30] = True
    assert line_counts(line, np.roll(line, shift, axis=1), tolerance_px=2).f1 == f1


def test_precision_and_recall_of_half_a_line() -> None:
    line = np.zeros((40, 60), np.bool_)
    line[:, 30] = True
    half = line.copy()
    half[20:] = False
    counts = line_counts(line, half, tolerance_px=2)  # two rows further are near enough
    assert (counts.precision, counts.recall) == (1, 22 / 40)
    assert counts.f1 == pytest.approx(2 * 0.55 / 1.55)


def test_empty_planes() -> None:
    nothing = np.zeros_like(square())
    assert np.isnan(line_counts(nothing, nothing, 2).f1)
    assert line_counts(square(), nothing, 2).f1 == 0
    assert line_counts(nothing, square(), 2).f1 == 0


def test_figures_over_pictures() -> None:
    figures = PlaneFigures("road")
    assert figures.add(square(), square(), 2) == 1
    assert figures.add(square(), np.zeros_like(square()), 2) == 0
    assert np.isnan(figures.add(np.zeros_like(square()), np.zeros_like(square()), 2))
    assert (figures.pictures, figures.present) == (3, 2)
    assert (figures.iou, figures.mean_iou, figures.boundary_f1) == (0.5, 0.5, 0.5)
    assert figures.line == Near((400, 400), (400, 800))
    assert PlaneFigures("road").line == NONE
    assert np.isnan(PlaneFigures("road").iou)


def test_overlap_of_planes() -> None:
    """Row: road, lane, none of the truth; column: the same of what was found."""
    road = np.array([[1, 1, 1, 0]], np.bool_)
    lane = np.array([[0, 1, 0, 0]], np.bool_)
    found_road = np.array([[1, 1, 0, 1]], np.bool_)
    found_lane = np.array([[0, 1, 0, 0]], np.bool_)
    expected = [[2, 1, 1], [1, 1, 0], [1, 0, 0]]
    assert overlap_counts([road, lane], [found_road, found_lane]).tolist() == expected

"""Frames that are skipped while tracked objects alone move, and how well these were expected."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from plugins.gate.stride import Stride
from plugins.track.outlook import Outlook, corners, outlook_of

BOX = (0.25, 0.25, 0.5, 0.5)
NOTHING = np.zeros((90, 160), np.bool_)
GOOD = Outlook(0.9, 10, 0, True)


def moving(left: int, top: int) -> NDArray[np.bool_]:
    """Return an image in which a few pixels move."""
    image = NOTHING.copy()
    image[top : top + 4, left : left + 4] = True
    return image


def row_of(stride: Stride, begin_s: float, fps: float = 20, outlook: Outlook = GOOD) -> int:
    """Return how many frames are passed over behind a look."""
    stride.looked(outlook, begin_s)
    for number in range(1, 100):
        if not stride.passes(NOTHING, [BOX], begin_s + number / fps):
            return number - 1
    raise AssertionError("for ever")


def test_the_better_objects_were_expected_the_more_frames_are_passed_over() -> None:
    stride = Stride(3)
    assert [row_of(stride, at_s) for at_s in range(5)] == [1, 2, 3, 3, 3]
    assert row_of(stride, 5.0, outlook=GOOD._replace(overlap=0.7)) == 3, "neither well nor badly"
    assert row_of(stride, 6.0, outlook=GOOD._replace(overlap=0.5)) == 0
    assert row_of(stride, 7.0) == 1
    assert row_of(stride, 8.0, outlook=GOOD._replace(is_steady=False)) == 0


def test_never_longer_than_half_a_second() -> None:
    stride = Stride(30)
    assert [row_of(stride, at_s, fps=4) for at_s in range(4)] == [1, 1, 1, 1]


def test_what_moves_beside_the_objects_is_looked_at_at_once() -> None:
    stride = Stride(3)
    for at_s in range(4):
        row_of(stride, at_s)
    stride.looked(GOOD, 4.0)
    assert stride.passes(moving(60, 30), [BOX], 4.05), "the object itself"
    assert not stride.passes(moving(120, 60), [BOX], 4.1)
    assert stride.passes(moving(60, 30), [(0.75, 0.25, 0.9, 0.5)], 4.15), "where it was"
    assert not Stride(3).passes(NOTHING, [BOX], 0.0), "nobody has looked yet"


def test_where_numbers_are_lost_nothing_is_passed_over_for_some_time() -> None:
    stride = Stride(1)
    assert row_of(stride, 0.0) == 1
    for at_s in range(1, 3):
        assert row_of(stride, at_s, outlook=GOOD._replace(lost=1)) == (at_s == 1)
    assert not stride.is_safe, "2 of 20"
    assert row_of(stride, 4.0) == 0
    assert row_of(stride, 100.0) == 1


def test_how_well_objects_were_expected() -> None:
    expected = np.array([[50, 50, 20, 20], [150, 50, 20, 20], [250, 50, 20, 20]], float)
    boxes = np.array([[50, 50, 20, 20], [155, 50, 20, 20], [275, 50, 20, 20]], float)
    rows = np.array([0, 1], np.intp)
    outlook = outlook_of(expected, rows, boxes, rows, np.array([True, True, True]))
    assert outlook.overlap == pytest.approx(15 / 25)
    assert (outlook.objects, outlook.lost) == (3, 1), "near it one begins"
    weak = outlook_of(expected, rows, boxes, rows, np.array([True, True, False]))
    assert weak.lost == 0, "not found"
    none = outlook_of(np.empty((0, 4)), rows[:0], boxes, rows[:0], np.array([True] * 3))
    assert (none.overlap, none.objects, none.lost) == (1.0, 0, 0)
    assert corners(boxes[:1]).tolist() == [[40, 40, 60, 60]]

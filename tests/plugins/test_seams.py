"""Findings of several looks at one frame: each object once, and whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mirante.detections import Detections
from mirante.mask import Mask
from plugins.frame import Area
from plugins.infer.seams import Look, joined, moved

SIZE = (1000, 600)
ALL: Area = (0, 0, *SIZE)
LEFT, RIGHT = (0, 0, 560, 600), (440, 0, 1000, 600)
LABELS = ("car", "person")


def boxes(*rows: tuple[float, ...], **fields: Any) -> Detections:
    """Return objects: left, top, right, bottom, score and, if it is no car, class of each."""
    table = np.array([[*row, 0][:6] for row in rows], np.float32).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 4], table[:, 5].astype(np.int32), LABELS, **fields)


def seen(area: Area, *objects: tuple[float, float, float, float]) -> Look:
    """Return what a faultless model finds in a part of the frame."""
    left, top, right, bottom = area
    rows = [
        (max(a, left), max(b, top), min(c, right), min(d, bottom), 0.9)
        for a, b, c, d in objects
        if min(c, right) > max(a, left) and min(d, bottom) > max(b, top)
    ]
    return Look(area, boxes(*rows))


def xyxy(found: Detections) -> list[list[float]]:
    """Return the boxes, from left to right."""
    return sorted(found.xyxy.tolist())


def test_what_two_tiles_show_is_one_object_and_what_one_cuts_is_whole() -> None:
    objects = [(450, 100, 540, 300), (300, 10, 500, 90), (500, 310, 700, 390)]
    both = [seen(LEFT, *objects), seen(RIGHT, *objects)]
    assert [len(look.found) for look in both] == [3, 3]
    assert xyxy(joined(both, SIZE)) == sorted(map(list, objects))


def test_of_what_is_whole_nowhere_the_parts_become_one() -> None:
    found = joined([seen(LEFT, (200, 100, 900, 300)), seen(RIGHT, (200, 100, 900, 300))], SIZE)
    assert xyxy(found) == [[200, 100, 900, 300]]
    # a third look at all of it takes their place
    every = Look(ALL, boxes((205, 98, 890, 305, 0.4)))
    looks = [seen(LEFT, (200, 100, 900, 300)), seen(RIGHT, (200, 100, 900, 300)), every]
    assert xyxy(joined(looks, SIZE)) == [[205, 98, 890, 305]]


def test_random_scenes_come_out_as_they_are() -> None:
    random = np.random.default_rng(1)
    tiles = [
        (left, top, left + 300, top + 250) for left in (0, 240, 480, 700) for top in (0, 180, 350)
    ]
    for _ in range(50):
        # as small as a tile shows whole, each in a cell of its own
        cells = random.permutation(40)[: random.integers(1, 12)]
        objects = []
        for cell in cells.tolist():
            x, y = cell % 8 * 125 + random.integers(1, 60), cell // 8 * 120 + random.integers(1, 60)
            side = random.integers(12, 40, 2).tolist()
            objects.append((float(x), float(y), float(x + side[0]), float(y + side[1])))
        looks = [seen(tile, *objects) for tile in tiles]
        assert xyxy(joined(looks, SIZE)) == sorted(map(list, objects))


def test_what_one_look_tells_apart_and_other_classes_stay_apart() -> None:
    near = boxes((460, 100, 540, 200, 0.9), (462, 100, 542, 200, 0.8))
    assert len(joined([Look(LEFT, near), Look(RIGHT, near)], SIZE)) == 2
    car, person = boxes((460, 100, 540, 200, 0.9)), boxes((460, 100, 540, 200, 0.9, 1))
    assert len(joined([Look(LEFT, car), Look(RIGHT, person)], SIZE)) == 2


def test_an_edge_of_the_frame_cuts_nothing() -> None:
    look = Look(LEFT, boxes((0, 0, 90, 90, 0.9), (500, 0, 560, 90, 0.9), (400, 5, 500, 600, 0.9)))
    assert look.cut(SIZE).tolist() == [False, True, False]
    assert look.holds(look.found.xyxy, SIZE).tolist() == [True, False, True]
    assert look.holds(np.array([[500, 0, 700, 90]], np.float32), SIZE).tolist() == [False]


def test_rotated_boxes_that_lie_side_by_side_are_two() -> None:
    # the upright boxes around them overlap by more than half
    rows = [(480, 200, 200, 20, 0.785), (495, 185, 200, 20, 0.785)]
    upright = [(400, 120, 560, 280, 0.9), (415, 105, 575, 265, 0.9)]
    one, other = (
        boxes(box, rotated=np.array([row], np.float32))
        for box, row in zip(upright, rows, strict=True)
    )
    assert len(joined([Look(ALL, one), Look((0, 0, 998, 600), other)], SIZE)) == 2
    assert len(joined([Look(ALL, one), Look((0, 0, 998, 600), one)], SIZE)) == 1


def test_all_that_belongs_to_an_object_moves_with_it() -> None:
    mask = Mask.from_planes(("car",), np.ones((1, 2, 2), np.bool_), (1, 2, 3, 4), "m")
    found = boxes(
        (1, 2, 3, 4, 0.9),
        masks=((mask,),),
        keypoints=np.array([[[1, 2, 0.5], [0, 0, 0]]], np.float32),
        rotated=np.array([[2, 3, 2, 2, 0.1]], np.float32),
    )
    there = moved(found, 100, 200)
    assert there.xyxy.tolist() == [[101, 202, 103, 204]]
    assert there.masks_of(0)[0].xyxy == (101, 202, 103, 204)
    assert there.keypoints is not None
    assert there.keypoints.tolist() == [[[101, 202, 0.5], [0, 0, 0]]], "what is absent stays so"
    assert there.rotated is not None
    assert there.rotated[0].tolist() == pytest.approx([102, 203, 2, 2, 0.1])
    assert there.rotated.dtype == np.float32
    none = moved(boxes((1, 2, 3, 4, 0.9), rotated=np.zeros((1, 5), np.float32)), 5, 5)
    assert none.rotated is not None
    assert not none.rotated.any()

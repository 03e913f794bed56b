"""The parts of a frame that a model looks at."""

from __future__ import annotations

import numpy as np
import pytest

from engines.placement import Size
from plugins.frame import Area
from plugins.gate.areas import areas_of
from plugins.gate.gate import Gate
from plugins.gate.motion import Motion
from plugins.infer.areas import Tiles, region_around
from tests.support.luma import Scene, Walker

SIZES: list[Size] = [(1920, 1080), (1080, 1920), (641, 479), (3840, 2160), (1000, 37)]


def shown_by(areas: list[Area], size: Size) -> np.ndarray:
    """Return how many of some parts show each pixel: (height, width)."""
    shown = np.zeros(size[::-1], np.int32)
    for left, top, right, bottom in areas:
        shown[top:bottom, left:right] += 1
    return shown


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("text", ["auto", "2x1", "1x3", "3x2", "8x8"])
def test_tiles_show_all_of_a_frame_and_begin_at_even_pixels(text: str, size: Size) -> None:
    tiles = Tiles.of_text(text)
    assert tiles is not None
    areas = tiles.areas(size, (416, 416))
    assert (shown_by(areas, size) > 0).all()
    assert all(0 <= left < right <= size[0] for left, _, right, _ in areas)
    assert all(0 <= top < bottom <= size[1] for _, top, _, bottom in areas)
    assert not any(edge % 2 for left, top, *_ in areas for edge in (left, top))
    columns, rows = len({area[0] for area in areas}), len({area[1] for area in areas})
    assert columns * rows == len(areas)


def test_neighbours_show_a_fifth_of_a_tile_twice() -> None:
    tiles = Tiles.of_text("3x2")
    assert tiles is not None
    (_, _, right, bottom), (left, *_), _, (_, top, *_), *_ = tiles.areas((1920, 1080), (416, 416))
    assert right - left >= 0.2 * right - 2
    assert bottom - top >= 0.2 * bottom - 2


def test_auto_makes_as_many_as_the_model_needs_and_none_of_a_small_frame() -> None:
    auto = Tiles.of_text("auto")
    assert auto is not None
    assert auto.areas((512, 288), (416, 416)) == []
    for left, top, right, bottom in auto.areas((1920, 1080), (416, 416)):
        assert right - left <= 1.25 * 416 + 2
        assert bottom - top <= 1.25 * 416 + 2
    assert len(auto.areas((1920, 1080), (512, 512))) == 8


@pytest.mark.parametrize("text", ["1x1", "9x2", "0x2", "2", "2x", "2 x 2", "3x2\n", "", "on"])
def test_other_tiles_are_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match=r"(?s)tiles: .*expected auto, off, or COLUMNSxROWS"):
        Tiles.of_text(text)


@pytest.mark.parametrize("size", SIZES[:4])
def test_a_region_has_all_that_it_is_around_with_a_margin_unless_the_frame_ends(size: Size) -> None:
    random, found = np.random.default_rng(0), 0
    for _ in range(300):
        at = random.uniform(-0.05, 1, (random.integers(1, 4), 2))
        boxes = np.concatenate([at, at + random.uniform(0.005, 0.2, at.shape)], axis=1)
        boxes = (boxes * (size * 2)).astype(np.float32)
        area = region_around(boxes, size, (416, 416))
        if area is None:
            continue
        found += 1
        left, top, right, bottom = area
        assert not (left % 2 or top % 2)
        assert 0 <= left < right <= size[0]
        assert 0 <= top < bottom <= size[1]
        width, height = right - left, bottom - top
        assert abs(width / height - size[0] / size[1]) < 0.02, "as the frame, for the same input"
        assert min(width / 416, height / 416) > 0.5
        margin = 0.02 * max(size) - 2
        inside = np.clip(boxes, 0, size * 2)
        edges = np.array(area)
        assert ((inside[:, :2] - edges[:2] >= margin) | (edges[:2] == 0)).all()
        assert ((edges[2:] - inside[:, 2:] >= margin) | (edges[2:] == size)).all()
    assert found or size == (641, 479), "of a frame that the model sees whole there is none"


def test_there_is_no_region_where_most_of_the_frame_moves() -> None:
    apart = np.array([[0, 0, 20, 20], [1900, 1060, 1920, 1080]], np.float32)
    assert region_around(apart, (1920, 1080), (416, 416)) is None
    assert region_around(apart[:1], (1920, 1080), (416, 416)) == (0, 0, 416, 234)
    assert region_around(apart[1:], (1920, 1080), (416, 416)) == (1504, 846, 1920, 1080)


def test_motion_is_told_as_boxes_around_groups_of_pixels() -> None:
    moving = np.zeros((90, 160), np.bool_)
    none = np.zeros_like(moving)
    assert areas_of(moving, none) == []
    moving[9:18, 16:32] = True
    moving[45, 80:87] = True  # fewer than are motion at once
    moving[81:90, 152:160] = True
    large = [(0.1, 0.1, 0.2, 0.2), (0.95, 0.9, 1.0, 1.0)]
    assert areas_of(moving, none) == large
    lasting = none.copy()
    lasting[45, 80:82] = True
    small = (0.5, 0.5, 87 / 160, 46 / 90)
    assert areas_of(moving, lasting) == [large[0], small, large[1]]


@pytest.mark.slow
def test_whoever_is_small_is_where_something_moves_beside_what_is_large() -> None:
    """Each that wakes the gate by itself is in the boxes for which regions are made."""
    small = Walker(5, speed=4, contrast=20, wide=1.5, tall=3, top=70)
    large = Walker(5, speed=12, contrast=60, wide=14, tall=20, top=5)
    alone, beside = Motion(), Gate()
    woke = told = 0
    for (at_s, image), (_, both) in zip(
        Scene((small,)).frames(25), Scene((small, large)).frames(25), strict=True
    ):
        moved = alone.see(image, at_s)
        beside.decide(both, at_s)
        if moved.pixels and (at := small.at(at_s)):
            woke += 1
            off = np.abs(np.array(beside.areas()).reshape(-1, 4)[:, :2] - at[0][:2])
            told += bool((off < 0.1).all(axis=1).any())
    assert woke > 100
    assert told >= 0.9 * woke

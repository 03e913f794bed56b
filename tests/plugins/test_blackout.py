"""Areas painted black, on arrays."""

from __future__ import annotations

import numpy as np
import pytest

from plugins.blackout.zones import Blackout, Zone, read_zones

WINDOW: Zone = [[0.25, 0.25], [0.5, 0.25], [0.5, 0.75], [0.25, 0.75]]
CORNER: Zone = [[0.8, 1], [1, 0.8], [1, 1]]


def white(width: int, height: int) -> np.ndarray:
    return np.full((height, width, 3), 255, np.uint8)


@pytest.mark.parametrize(("width", "height"), [(64, 48), (33, 21), (101, 7), (16, 1)])
def test_every_pixel_that_an_area_touches_is_black_and_few_more(width: int, height: int) -> None:
    image = white(width, height)
    Blackout([WINDOW]).apply(image)
    left, right = int(width * 0.25), int(np.ceil(width * 0.5))
    top, bottom = int(height * 0.25), int(np.ceil(height * 0.75))
    assert not image[top:bottom, left:right].any()
    image[max(0, top - 2) : bottom + 2, max(0, left - 2) : right + 2] = 255
    assert (image == 255).all()


def test_concave_and_slanted_areas() -> None:
    image = white(100, 100)
    ell: Zone = [[0, 0], [0.2, 0], [0.2, 0.8], [1, 0.8], [1, 1], [0, 1]]
    Blackout([ell, CORNER]).apply(image)
    assert not image[:, :20].any()
    assert not image[80:].any()
    assert (image[:78, 23:] == 255).all()
    slant = white(100, 100)
    Blackout([CORNER]).apply(slant)
    for x, y, is_black in [(95, 95, True), (90, 90, True), (85, 85, False), (79, 99, True)]:
        assert (not slant[y, x].any()) == is_black, (x, y)


def test_an_area_stays_where_it_is_when_the_image_is_a_part() -> None:
    whole, part = white(200, 100), white(100, 50)
    painter = Blackout([WINDOW])
    painter.apply(whole)
    painter.apply(part, (0.25, 0.5, 0.75, 1))
    assert np.array_equal(part, whole[50:, 50:150])
    painter.apply(beside := white(40, 40), (0.75, 0, 1, 0.5))
    assert (beside == 255).all()


def test_it_paints_in_place_between_padded_rows() -> None:
    rows = np.full((20, 100), 255, np.uint8)
    pixels = np.ndarray((20, 33, 3), np.uint8, rows.data, strides=(100, 3, 1))
    Blackout([[[0, 0], [1, 0], [1, 1], [0, 1]]]).apply(pixels)
    assert not rows[:, :99].any()
    assert (rows[:, 99] == 255).all()


@pytest.mark.parametrize(
    "text",
    ["", "[]", "x", "[[[0,0],[1,1]]]", "[[0,0],[1,0],[1,1]]", "[[[0,0],[2,0],[1,1]]]", '[["a"]]'],
)
def test_what_is_no_list_of_polygons_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^zones: .*expected \[\[\[x, y\]"):
        read_zones(text)

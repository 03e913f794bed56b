"""Turns and cuts as numbers, against arrays that are turned and cut."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.cameras.graph import camera_graph
from pipeline.cameras.view import Turn, decoded_limit, view_of
from pipeline.config.camera import Camera, CameraOptions

TURNS = [Turn(quarters, mirrored) for quarters, mirrored in product(range(4), (False, True))]
ZONE = [[0, 0], [0.5, 0], [0, 0.5]]


def turned(array: NDArray[Any], turn: Turn) -> NDArray[Any]:
    return np.rot90(array[:, ::-1] if turn.mirrored else array, -turn.quarters)


@pytest.mark.parametrize("turn", TURNS, ids=str)
def test_turns_follow_each_other_as_arrays_do(turn: Turn) -> None:
    image = np.arange(15).reshape(3, 5)
    for after in TURNS:
        assert np.array_equal(turned(turned(image, turn), after), turned(image, turn.then(after)))


@pytest.mark.parametrize("turn", TURNS, ids=str)
def test_what_is_cut_of_the_decoded_image_is_what_the_shown_one_loses(turn: Turn) -> None:
    image = np.arange(7 * 11).reshape(7, 11)
    options = CameraOptions(crop=[0.1, 0.2, 0.75, 1])
    view = view_of(options, (11, 7), turn)
    left, top, right, bottom = view.cuts
    whole = turned(image, turn)
    height, width = whole.shape
    # An even number of pixels is cut off each side.
    x, y = ((2, 9), 2) if (width, height) == (11, 7) else ((0, 5), 2)
    wanted = whole[y:, x[0] : x[1]]
    assert np.array_equal(turned(image[top : 7 - bottom, left : 11 - right], turn), wanted)
    assert view.size == wanted.shape[::-1]
    assert view.area == (x[0] / width, y / height, x[1] / width, 1)


@pytest.mark.parametrize(
    ("text", "turn"),
    [
        ("rotate-0", Turn()),
        ("rotate-90", Turn(1)),
        ("rotate-270", Turn(3)),
        ("flip-rotate-0", Turn(0, True)),
        ("flip-rotate-180", Turn(2, True)),
        ("rotate-45", Turn()),
        ("rotate-900", Turn()),
        ("ROTATE-90", Turn()),
        ("", Turn()),
    ],
)
def test_tags(text: str, turn: Turn) -> None:
    assert Turn.of_tag(text) == turn


def test_a_crop_leaves_a_pixel_of_the_smallest_image() -> None:
    view = view_of(CameraOptions(crop=[0.99, 0.99, 1, 1]), (16, 1), Turn())
    assert (view.size, view.cuts) == ((2, 1), (14, 0, 0, 0))


def test_a_webcam_is_asked_for_enough_pixels() -> None:
    options = CameraOptions(width=320, height=200, rotate=90, crop=[0, 0, 0.5, 0.25])
    assert decoded_limit(options) == (800, 640)
    assert "width=[1,800],height=[1,640]" in _text("/dev/video0", **options.model_dump())


def _text(url: str = "file:a.mp4", **options: Any) -> str:
    return camera_graph("gate", Camera(url=url, **options), "fakesink")


ELEMENTS = ("deinterlace", "videocrop", "videoflip", "mirblackout")


@pytest.mark.parametrize(
    ("options", "elements"),
    [
        ({}, ()),
        ({"rotate": 0, "mirror": False, "mask": [], "crop": None}, ()),
        ({"deinterlace": "off"}, ()),
        ({"deinterlace": "on"}, ("deinterlace",)),
        ({"rotate": 90}, ("videoflip",)),
        ({"mirror": True}, ("videoflip",)),
        ({"crop": [0, 0, 1, 0.5]}, ("videocrop",)),
        ({"mask": [ZONE]}, ("mirblackout",)),
    ],
)
def test_an_option_adds_its_element_and_no_other(
    options: dict[str, Any], elements: tuple[str, ...]
) -> None:
    text = _text(**options)
    assert [name for name in ELEMENTS if f"{name} " in text] == list(elements)


def test_cutting_comes_before_the_scaler_and_painting_before_the_stages() -> None:
    text = _text(crop=[0, 0, 1, 0.5], mask=[ZONE], rotate=90, deinterlace="on")
    order = ["newest", "deinterlace ", "videocrop", "mirrgb", "RGB,width", "videoflip"]
    places = [text.index(word) for word in [*order, "mirblackout", "fakesink"]]
    assert places == sorted(places)
    assert 'zones="[[[0.0, 0.0], [0.5, 0.0], [0.0, 0.5]]]"' in text

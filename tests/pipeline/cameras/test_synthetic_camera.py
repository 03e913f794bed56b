"""The drawn camera: its number can be read, its truth is what can be seen."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipeline.cameras.synthetic import LABELS, picture, read_number, truth
from tests.support.images import decode_image

SIZES = [(640, 360), (320, 180), (1280, 720), (333, 251), (64, 48), (200, 800)]
NUMBERS = [0, 1, 255, 1000, 2**31 + 5, 2**32 - 1]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("n", NUMBERS)
def test_the_number_can_be_read(n: int, size: tuple[int, int]) -> None:
    image = picture(n, *size)
    assert image.shape == (size[1], size[0], 3)
    assert image.dtype == np.uint8
    assert read_number(image) == n


@pytest.mark.parametrize("quality", [50, 90])
@pytest.mark.parametrize("scale", [0.5, 0.77, 1.6])
def test_the_number_survives_jpeg_and_scaling(quality: int, scale: float) -> None:
    image = picture(123_456_789, 640, 360)
    _, jpeg = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = decode_image(jpeg)[..., ::-1]
    scaled = cv2.resize(decoded, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    assert read_number(np.asarray(scaled, np.uint8)) == 123_456_789


def test_no_number_is_read_where_there_is_none() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (360, 640, 3), np.uint8)
    assert read_number(noise) is None
    assert read_number(np.zeros((360, 640, 3), np.uint8)) is None
    half = picture(7, 640, 360)
    half[: half.shape[0] // 8, 320:] = 128
    assert read_number(half) is None


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("n", range(0, 400, 74))
def test_the_truth_is_what_can_be_seen(n: int, size: tuple[int, int]) -> None:
    image = picture(n, *size)
    boxes, lane = truth(n, *size)
    assert boxes.labels == LABELS
    for i, row in enumerate(boxes.xyxy.astype(int)):
        colour = tuple(255 if channel == i else 0 for channel in range(3))
        seen = np.argwhere((image == colour).all(axis=-1))
        (top, left), (bottom, right) = seen.min(axis=0), seen.max(axis=0) + 1
        assert [left, top, right, bottom] == list(row)
        assert len(seen) == (bottom - top) * (right - left)
        assert not (row % 2).any()
    assert (lane.planes[0] == (image == (255, 0, 255)).all(axis=-1)).all()
    assert lane.labels == ("lane",)
    assert lane.planes.any()


def test_the_rest_is_grey() -> None:
    image = picture(3, 640, 360).astype(int)
    boxes, lane = truth(3, 640, 360)
    rest = ~lane.planes[0]
    for left, top, right, bottom in boxes.xyxy.astype(int):
        rest[top:bottom, left:right] = False
    assert (np.ptp(image, axis=-1)[rest] == 0).all()


def test_everything_moves() -> None:
    first, later = truth(0, 640, 360), truth(10, 640, 360)
    assert (first[0].xyxy[:, 0] != later[0].xyxy[:, 0]).all()
    assert (first[1].bits != later[1].bits).any()


def test_a_picture_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 64x48 or more, got 40x40"):
        picture(0, 40, 40)

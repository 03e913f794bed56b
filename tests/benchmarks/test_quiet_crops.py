"""The loop that looks where something moves: a stand-in for Frigate."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.quiet.crops import CHECK, REGION, STATIONARY, Crops, Image, regions_of
from mirante.detections import Detections

LABELS = ("white",)


def detect(image: Image) -> Detections:
    """Find the white box in an image."""
    rows, columns = np.nonzero(image[..., 0] > 250)
    if not len(rows):
        return Detections.empty(LABELS)
    box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    ones = np.ones(1, np.float32)
    return Detections(np.array([box], np.float32), ones, np.zeros(1, np.int32), LABELS)


def street(left: int | None) -> Image:
    """A grey street of 1280x720 with a white box, or none."""
    image = np.full((720, 1280, 3), 90, np.uint8)
    if left is not None:
        image[400:460, left : left + 80] = 255
    return image


def test_regions_are_squares_in_the_frame_that_hold_what_moves() -> None:
    assert regions_of([[600, 300, 640, 340]], 1280, 720) == [(460, 160, 780, 480)]
    assert regions_of([[0, 0, 20, 20]], 1280, 720) == [(0, 0, REGION, REGION)]
    assert regions_of([[0, 0, 500, 100]], 640, 352) == [(0, 0, 640, 352)]
    near = regions_of([[600, 300, 640, 340], [650, 300, 700, 340]], 1280, 720)
    [(left, top, right, bottom)] = near
    assert right - left == bottom - top == REGION
    assert left <= 600
    assert right >= 700
    assert len(regions_of([[0, 0, 20, 20], [1200, 600, 1240, 640]], 1280, 720)) == 2


@pytest.mark.slow
def test_what_moves_is_found_and_what_stands_is_looked_at_now_and_then() -> None:
    crops, looks = Crops(detect), []
    for n in range(40):
        found, looked = crops.look(street(None))
        assert looked == (n == 0)
        assert not len(found)
    for n in range(10):
        found, looked = crops.look(street(100 + 40 * n))
        assert looked
        assert found.xyxy.tolist() == [[100 + 40 * n, 400, 180 + 40 * n, 460]]
    parked = street(460)
    for _ in range(500):  # the average has taken it in
        found, looked = crops.look(parked)
        looks.append(looked)
        assert found.xyxy.tolist() == [[460, 400, 540, 460]]
    assert all(looks[: STATIONARY // 2])
    assert sum(looks[-5 * CHECK :]) == 5

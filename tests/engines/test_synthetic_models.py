"""test-boxes and test-lane see the synthetic camera's image exactly, after a codec too."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import engines
from engines.manifest import ZOO
from engines.rotated import rotated_overlaps
from mirante.rotated import enclosing
from pipeline.cameras.synthetic import picture, truth

SIZES = [(640, 360), (1280, 720), (320, 240), (640, 480)]
FRAMES = (0, 7, 41, 500)
EACH = pytest.mark.parametrize(  # every frame of one size, and one of every size
    ("n", "size"),
    [
        pytest.param(n, size, marks=() if n == 7 or size == SIZES[0] else pytest.mark.full)
        for n in FRAMES
        for size in SIZES
    ],
)


def through_video(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """4:2:0 with BT.601 limited range, and colours off by up to 20, as cameras deliver."""
    i420 = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420)
    back = cv2.cvtColor(i420, cv2.COLOR_YUV2RGB_I420).astype(np.int16)
    back += np.random.default_rng(1).integers(-20, 21, back.shape, dtype=np.int16)
    return np.clip(back, 0, 255).astype(np.uint8)


@EACH
def test_boxes_are_exact_to_two_pixels(size: tuple[int, int], n: int) -> None:
    model = engines.load("test-boxes")
    expected, _ = truth(n, *size)
    for rgb in (picture(n, *size), through_video(picture(n, *size))):
        found = model(rgb).detections
        assert found.labels == expected.labels
        np.testing.assert_array_equal(np.sort(found.class_id), [0, 1, 2])
        boxes = found.xyxy[np.argsort(found.class_id)]
        np.testing.assert_allclose(boxes, expected.xyxy, atol=2)
        assert found.score.min() > 0.9


@EACH
def test_the_lane_is_exact_but_for_its_edge(size: tuple[int, int], n: int) -> None:
    model = engines.load("test-lane")
    _, expected = truth(n, *size)
    for rgb in (picture(n, *size), through_video(picture(n, *size))):
        (mask,) = model(rgb).masks
        assert (mask.model, mask.labels) == ("test-lane", ("lane",))
        got, want = mask.on_frame("lane", *size), expected.plane("lane")
        assert (got & want).sum() / (got | want).sum() > 0.94


@EACH
def test_rotated_boxes_are_exact_to_two_pixels(size: tuple[int, int], n: int) -> None:
    model = engines.load("test-oriented")
    expected, mask = truth(n, *size)
    for rgb in (picture(n, *size), through_video(picture(n, *size))):
        found = model(rgb).detections
        order = np.argsort(found.class_id)
        assert found.class_id[order].tolist() == [0, 1, 2, 3]
        assert found.rotated is not None
        assert found.score.min() > 0.9
        np.testing.assert_allclose(found.xyxy[order][:3], expected.xyxy, atol=2)
        upright = enclosing(found.rotated[order])
        np.testing.assert_allclose(upright[:3], expected.xyxy, atol=2)
        band = found.rotated[order][3]
        rows, columns = mask.plane("lane").nonzero()
        middle = (columns.mean() + 0.5, rows.mean() + 0.5)
        np.testing.assert_allclose(band[:2], middle, atol=3)
        np.testing.assert_allclose(band[2] * band[3], len(rows), rtol=0.06)
        assert -1.3 < band[4] < -0.3  # its upper end leans to the right


@pytest.mark.parametrize("turn", [-80, -45, -10, 0, 25, 44, 46, 70, 89])
def test_a_turned_rectangle_is_found_as_it_is(turn: int) -> None:
    rgb = np.full((360, 640, 3), 100, np.uint8)
    outline = cv2.boxPoints(((300, 180), (160, 60), turn))
    cv2.fillPoly(rgb, [np.round(outline).astype(np.int32)], (0, 255, 0))
    found = engines.load("test-oriented")(rgb).detections
    assert found.rotated is not None
    expected = np.array([[300, 180, 160, 60, np.radians(turn)]], np.float32)
    assert rotated_overlaps(found.rotated, expected).item() > 0.96
    assert abs(np.sin(found.rotated[0, 4] - expected[0, 4])) < 0.01


@EACH
def test_each_rectangle_has_its_mask(size: tuple[int, int], n: int) -> None:
    model = engines.load("test-instances")
    expected, _ = truth(n, *size)
    for rgb in (picture(n, *size), through_video(picture(n, *size))):
        found = model(rgb).detections
        found = found.select(np.argsort(found.class_id))
        assert (found.labels, found.class_id.tolist()) == (expected.labels, [0, 1, 2])
        np.testing.assert_allclose(found.xyxy, expected.xyxy, atol=2 * size[0] / 640 + 1)
        for i, (label, _, xyxy) in enumerate(expected):
            (mask,) = found.masks_of(i)
            assert (mask.model, mask.labels, mask.object_index) == (
                "test-instances",
                (label,),
                None,
            )
            left, top, right, bottom = xyxy.astype(int)
            want = np.zeros(size[::-1], bool)
            want[top:bottom, left:right] = True
            got = mask.on_frame(label, *size)
            assert (got & want).sum() / (got | want).sum() > 0.9


@EACH
def test_each_rectangle_has_its_corners_and_centre(size: tuple[int, int], n: int) -> None:
    model = engines.load("test-pose")
    expected, _ = truth(n, *size)
    for rgb in (picture(n, *size), through_video(picture(n, *size))):
        found = model(rgb).detections
        found = found.select(np.argsort(found.class_id))
        assert found.class_id.tolist() == [0, 1, 2]
        for i, (_, _, (left, top, right, bottom)) in enumerate(expected):
            points = found.keypoints_of(i)
            want = {
                "top_left": (left, top),
                "top_right": (right, top),
                "bottom_right": (right, bottom),
                "bottom_left": (left, bottom),
                "centre": ((left + right) / 2, (top + bottom) / 2),
            }
            assert list(points) == list(want)
            for name, at in want.items():
                np.testing.assert_allclose(points[name][:2], at, atol=2 * size[0] / 640 + 1)
                assert points[name][2] == pytest.approx(found.score[i])


@pytest.mark.parametrize("colour", range(3))
def test_an_absent_colour_has_no_box(colour: int) -> None:
    rgb = picture(3, 640, 360)
    rgb[(rgb == np.eye(3, dtype=np.uint8)[colour] * 255).all(axis=2)] = 128
    for name in ("test-boxes", "test-instances", "test-pose"):
        found = engines.load(name)(through_video(rgb)).detections
        assert sorted(found.class_id) == [c for c in range(3) if c != colour]


def test_a_grey_picture_has_nothing() -> None:
    grey = np.full((360, 640, 3), 120, np.uint8)
    assert len(engines.load("test-boxes")(grey).detections) == 0
    (mask,) = engines.load("test-lane")(grey).masks
    assert not mask.planes.any()


def test_the_shipped_files_are_what_their_script_builds(tmp_path: Path) -> None:
    from engines.zoo import build_test_models

    for build in build_test_models.BUILDS:
        built = build(tmp_path)
        assert built.read_bytes() == (ZOO / built.name).read_bytes()

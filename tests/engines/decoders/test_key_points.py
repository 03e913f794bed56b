"""Key points: every layout gives the points that stand in it, in pixels, with their scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.decoders import OptionError, Spec, bind
from engines.found import Boxes, Points, Poses
from tests.support.decoded import spec

SIZE = (96, 64)
SIDES = np.array(SIZE, np.float32)
NAMES = ("head", "hand", "foot")
RANDOM = np.random.default_rng(8)
BOXES = np.array([[8, 8, 40, 40], [52, 12, 92, 60]], np.float32)
SCORES = np.array([0.9, 0.8], np.float32)
CLASSES = np.array([2, 0])
POINTS = np.dstack([RANDOM.random((2, 3, 2)) * SIDES, RANDOM.uniform(0.1, 1, (2, 3))]).astype(
    np.float32
)


def posed(threshold: float = 0.3, names: tuple[str, ...] = NAMES) -> Spec:
    return replace(spec(threshold, SIZE), keypoints=names)


def columns(points: NDArray[np.float32], parts: bool = False) -> NDArray[np.float32]:
    """(1, 4 + 3 + further, n) with columns in which nothing is found."""
    boxes = np.hstack([(BOXES[:, :2] + BOXES[:, 2:]) / 2, BOXES[:, 2:] - BOXES[:, :2]])
    points = points.copy()
    if parts:
        boxes = boxes / np.tile(SIDES, 2)
        points[..., :2] /= SIDES
    chances = np.eye(3)[CLASSES] * SCORES[:, None]
    found = np.hstack([boxes, chances, points.reshape(2, -1)])
    return np.vstack([np.zeros((50, found.shape[1])), found]).T[None].astype(np.float32)


ROWS = np.hstack([BOXES, SCORES[:, None], CLASSES[:, None], POINTS.reshape(2, -1)])
LAYOUTS: Mapping[str, tuple[str, dict[str, Any], NDArray[np.float32]]] = {
    "YOLOv8": ("yolov8_pose", {}, columns(POINTS)),
    "channels last": ("yolov8_pose", {"channels": "last"}, columns(POINTS).transpose(0, 2, 1)),
    "in parts": ("yolov8_pose", {"normalised": True}, columns(POINTS, parts=True)),
    "YOLO26": ("rows_pose", {}, ROWS[None].astype(np.float32)),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_points_are_those_of_the_output(layout: str) -> None:
    decoder, options, output = LAYOUTS[layout]
    found = bind(decoder, options)({"o": output}, posed())
    assert isinstance(found, Poses)
    np.testing.assert_array_equal(found.class_id, CLASSES)
    np.testing.assert_allclose(found.xyxy, BOXES, atol=1e-3)
    np.testing.assert_allclose(found.keypoints, POINTS, atol=1e-3)
    assert found.keypoints.dtype == np.float32
    np.testing.assert_allclose(found.select(np.array([1])).keypoints, POINTS[1:], atol=1e-3)
    nothing = bind(decoder, options)({"o": output}, posed(0.99))
    assert isinstance(nothing, Poses)
    assert nothing.keypoints.shape == (0, 3, 3)


@pytest.mark.parametrize("decoder", ["yolov8_pose", "rows_pose"])
def test_points_without_scores_have_that_of_their_box(decoder: str) -> None:
    bare = POINTS[..., :2]
    rows = np.hstack([BOXES, SCORES[:, None], CLASSES[:, None], bare.reshape(2, -1)])
    output = columns(bare) if decoder == "yolov8_pose" else rows[None].astype(np.float32)
    found = bind(decoder, {})({"o": output}, posed())
    assert isinstance(found, Poses)
    np.testing.assert_allclose(found.keypoints[..., :2], bare, atol=1e-3)
    np.testing.assert_allclose(found.keypoints[..., 2], SCORES[:, None].repeat(3, axis=1))


def test_suppressed_boxes_take_their_points_with_them() -> None:
    output = columns(POINTS)
    output[0, :4, -1] = output[0, :4, -2] + 1
    output[0, 4:7, -1] = [0, 0, 0.8]
    found = bind("yolov8_pose", {})({"o": output}, posed())
    assert isinstance(found, Poses)
    np.testing.assert_allclose(found.keypoints, POINTS[:1], atol=1e-3)


def yunet_outputs() -> dict[str, NDArray[np.float32]]:
    """A face of 16 pixels in the cell (2, 1) of stride 8, and its landmarks in cells."""
    outputs = {}
    for stride in (8, 16, 32):
        cells = (SIZE[0] // stride) * (SIZE[1] // stride)
        for name, width in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            outputs[f"{name}_{stride}"] = np.zeros((1, cells, width), np.float32)
    at = 1 * (SIZE[0] // 8) + 2
    outputs["cls_8"][0, at] = outputs["obj_8"][0, at] = 0.81
    outputs["bbox_8"][0, at] = [0.5, 0.5, np.log(2), np.log(2)]
    outputs["kps_8"][0, at] = np.arange(10) / 10
    return outputs


def test_yunets_landmarks_are_read_where_they_are_named() -> None:
    face = Spec(("face",), np.array([0.6], np.float32), 0.45, SIZE)
    plain = bind("yunet", {})(yunet_outputs(), face)
    assert type(plain) is Boxes
    names = tuple("abcde")
    found = bind("yunet", {})(yunet_outputs(), replace(face, keypoints=names))
    assert isinstance(found, Poses)
    np.testing.assert_array_equal(found.xyxy, plain.xyxy)
    x, y = (2 + np.arange(0, 10, 2) / 10) * 8, (1 + np.arange(1, 10, 2) / 10) * 8
    np.testing.assert_allclose(found.keypoints[0, :, :2], np.stack([x, y], axis=1), rtol=1e-6)
    np.testing.assert_allclose(found.keypoints[0, :, 2], 0.81)
    with pytest.raises(OptionError, match=r"expected kps_8 \(1, cells, 6\) for 3 key points"):
        bind("yunet", {})(yunet_outputs(), replace(face, keypoints=NAMES))


ONE = POINTS[0]
MOVENET = np.dstack([ONE[None, :, 1] / SIZE[1], ONE[None, :, 0] / SIZE[0], ONE[None, :, 2]])[None]


def person(threshold: float = 0.2) -> Spec:
    return Spec(("person",), np.array([threshold], np.float32), 0.45, SIZE, NAMES)


def test_movenets_points_are_y_then_x() -> None:
    found = bind("movenet", {})({"o": MOVENET.astype(np.float32)}, person())
    assert isinstance(found, Points)
    np.testing.assert_allclose(found.points, ONE, atol=1e-3)


def bins(ratio: int) -> dict[str, NDArray[np.float32]]:
    """Peaks at whole bins beside ``ONE``, as high as its scores; columns surer than rows."""
    outputs = {}
    for axis, (name, side) in enumerate(zip(("simcc_x", "simcc_y"), SIZE, strict=True)):
        raw = np.full((1, 3, side * ratio), -0.1, np.float32)
        for point in range(3):
            raw[0, point, int(ONE[point, axis] * ratio)] = ONE[point, 2] + (0.2 if axis == 0 else 0)
        outputs[name] = raw
    return outputs


@pytest.mark.parametrize("ratio", [1, 2, 4])
def test_simccs_points_are_where_the_peaks_are(ratio: int) -> None:
    found = bind("simcc", {})(bins(ratio), person())
    assert isinstance(found, Points)
    assert np.abs(found.points[:, :2] - ONE[:, :2]).max() < 1 / ratio
    np.testing.assert_allclose(found.points[:, 2], ONE[:, 2], rtol=1e-5)


def test_simccs_logits_become_scores() -> None:
    raw = {name: value * 10 for name, value in bins(2).items()}
    shared = bind("simcc", {"activation": "softmax"})(raw, person(0.0))
    alone = bind("simcc", {"activation": "sigmoid"})(raw, person(0.0))
    assert isinstance(shared, Points)
    assert isinstance(alone, Points)
    for point in range(3):
        row = raw["simcc_y"][0, point].astype(np.float64)
        across = raw["simcc_x"][0, point].astype(np.float64)
        shares = [np.exp(r).max() / np.exp(r).sum() for r in (row, across)]
        assert shared.points[point, 2] == pytest.approx(min(shares), rel=1e-4)
        assert alone.points[point, 2] == pytest.approx(1 / (1 + np.exp(-row.max())), rel=1e-4)


@pytest.mark.parametrize("decoder", ["movenet", "simcc"])
def test_below_the_models_threshold_no_point_is_there(decoder: str) -> None:
    outputs = {"o": MOVENET.astype(np.float32)} if decoder == "movenet" else bins(2)
    found = bind(decoder, {})(outputs, person(0.95))
    assert isinstance(found, Points)
    assert not found.points[:, 2].any()


@pytest.mark.parametrize(
    ("decoder", "outputs", "message"),
    [
        ("yolov8_pose", {"o": columns(POINTS)[:, :-1]}, "expected 16 or 13 channels first, 4"),
        ("rows_pose", {"o": ROWS[None, :, :-1]}, r"expected \(1, n, 15\) or \(1, n, 12\) for 3"),
        ("movenet", {"o": MOVENET[:, :, :2]}, r"movenet: expected \(1, 1, 3, 3\)"),
        ("simcc", {**bins(2), "simcc_y": bins(2)["simcc_y"][:, :2]}, r"simcc_y \(1, 3, bins\)"),
    ],
)
def test_outputs_that_do_not_fit_are_told(
    decoder: str, outputs: Mapping[str, NDArray[Any]], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        bind(decoder, {})(outputs, posed())

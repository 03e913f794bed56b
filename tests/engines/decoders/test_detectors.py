from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.decoders import OptionError, bind
from engines.decoders.candidates import suppress as fast_suppress
from engines.found import Boxes
from engines.names import UnknownNameError
from tests.support.decoded import boxes_of, least_of, spec
from tests.support.plain_reference import Row, assert_same, best_class, from_centre, suppress, yolox


def noise(rows: int, columns: int, seed: int) -> NDArray[np.float32]:
    """(1, rows, columns) in 0..1; columns 0 to 3 suit boxes of 96x64 pixels."""
    random = np.random.default_rng(seed)
    table = random.random((1, rows, columns)) ** 0.7
    table[..., :4] = random.random((1, rows, 4)) * (96, 64, 40, 40) + (0, 0, 4, 4)
    return table.astype(np.float32)


@pytest.mark.parametrize("threshold", [0.01, 0.6, [0.9, 0.3, 0.6]])
def test_yolox_equals_the_plain_reference(threshold: float | list[float]) -> None:
    s = spec(threshold)
    random = np.random.default_rng(3)
    output = random.random((1, 96 + 24 + 6, 8)).astype(np.float32)
    output[..., :4] = random.normal(0, 0.8, (1, 126, 4))
    found = boxes_of(bind("yolox", {}), {"output": output}, s)
    assert len(found.score) > 3
    assert_same(found, yolox(output, (96, 64), least_of(s), 0.45))


@pytest.mark.parametrize("threshold", [0.05, 0.5, [0.9, 0.2, 0.6]])
def test_yolov5_equals_the_plain_reference(threshold: float | list[float]) -> None:
    s, output = spec(threshold), noise(200, 8, 5)
    rows: list[Row] = []
    for cx, cy, w, h, objectness, *classes in output[0].astype(float):
        if (found := best_class([objectness * c for c in classes], least_of(s))) is not None:
            rows.append((*found, from_centre(cx, cy, w, h)))
    expected = suppress(rows, 0.45)
    assert len(expected) > 3
    assert_same(boxes_of(bind("yolov5", {}), {"output": output}, s), expected)


@pytest.mark.parametrize("threshold", [0.05, 0.5, [0.9, 0.2, 0.6]])
def test_yolov8_equals_the_plain_reference(threshold: float | list[float]) -> None:
    s, output = spec(threshold), noise(200, 7, 6)
    rows: list[Row] = []
    for cx, cy, w, h, *classes in output[0].astype(float):
        if (found := best_class(classes, least_of(s))) is not None:
            rows.append((*found, from_centre(cx, cy, w, h)))
    expected = suppress(rows, 0.45)
    assert len(expected) > 3
    columns = np.ascontiguousarray(output.transpose(0, 2, 1))
    assert_same(boxes_of(bind("yolov8", {}), {"output0": columns}, s), expected)


def test_yunet_equals_the_plain_reference() -> None:
    s = spec(0.6, labels=("face",))
    random = np.random.default_rng(8)
    outputs: dict[str, NDArray[np.float32]] = {}
    rows: list[Row] = []
    for stride, cells in ((8, 96), (16, 24), (32, 6)):
        for name in ("cls", "obj"):
            outputs[f"{name}_{stride}"] = random.random((1, cells, 1)).astype(np.float32)
        outputs[f"bbox_{stride}"] = random.normal(0, 0.8, (1, cells, 4)).astype(np.float32)
        for cell in range(cells):
            score = outputs[f"cls_{stride}"][0, cell, 0] * float(
                outputs[f"obj_{stride}"][0, cell, 0]
            )
            if score**0.5 >= 0.6:
                x, y, w, h = outputs[f"bbox_{stride}"][0, cell].astype(float)
                row, column = divmod(cell, 96 // stride)
                centre = (x + column) * stride, (y + row) * stride
                box = from_centre(*centre, np.exp(w) * stride, np.exp(h) * stride)
                rows.append((score**0.5, 0, box))
    expected = suppress(rows, 0.45)
    assert len(expected) > 3
    assert_same(boxes_of(bind("yunet", {}), dict(outputs), s), expected)


def end_to_end_outputs() -> dict[str, NDArray[Any]]:
    corners = [[10, 10, 30, 30], [11, 11, 31, 31], [0, 0, 96, 64], [5, 5, 6, 6]]
    return {
        "boxes": np.array([corners], np.float32),
        "labels": np.array([[2, 2, 0, 1]], np.int64),
        "scores": np.array([[0.9, 0.8, 0.5, 0.1]], np.float32),
    }


def test_end_to_end_takes_what_reaches_its_threshold_and_suppresses_nothing() -> None:
    found = boxes_of(bind("end_to_end", {}), end_to_end_outputs(), spec([0.6, 0.05, 0.3]))
    np.testing.assert_array_equal(found.class_id, [2, 2, 1])
    np.testing.assert_allclose(found.score, [0.9, 0.8, 0.1])
    np.testing.assert_array_equal(found.xyxy, [[10, 10, 30, 30], [11, 11, 31, 31], [5, 5, 6, 6]])


def test_end_to_end_with_centres_in_parts_of_the_input() -> None:
    outputs = end_to_end_outputs()
    outputs["dets"] = np.array([[[0.5, 0.5, 0.5, 0.25]] * 4], np.float32)
    options = {"boxes": "dets", "format": "cxcywh", "normalised": True}
    found = boxes_of(bind("end_to_end", options), outputs, spec(0.85))
    np.testing.assert_allclose(found.xyxy, [[24, 24, 72, 40]])


def test_a_class_without_a_label_is_an_error() -> None:
    outputs = end_to_end_outputs()
    outputs["labels"] = np.array([[3, 2, 0, 1]])
    with pytest.raises(OptionError, match="expected classes 0 to 2, got 3"):
        bind("end_to_end", {})(outputs, spec())
    with pytest.raises(OptionError, match="expected classes 1 to 3, got 0"):
        bind("end_to_end", {"first_class": 1})(outputs, spec())


def test_end_to_end_counts_classes_from_the_first_label_on() -> None:
    outputs = end_to_end_outputs()
    outputs["labels"] += 1
    found = boxes_of(bind("end_to_end", {"first_class": 1}), outputs, spec(0.05))
    np.testing.assert_array_equal(found.class_id, [2, 2, 0, 1])


@pytest.mark.parametrize("count", [0, 2, 3])
def test_end_to_end_of_tensorflow_without_a_batch_axis_and_with_a_count(count: int) -> None:
    outputs: dict[str, NDArray[np.generic]] = {
        name: value[0] for name, value in end_to_end_outputs().items()
    }
    outputs["boxes"] = outputs["boxes"][:, [1, 0, 3, 2]] / np.array([64, 96] * 2, np.float32)
    outputs["labels"] = outputs["labels"].astype(np.float32)
    outputs["n"] = np.array([count], np.float32)
    options = {"format": "yxyx", "normalised": True, "count": "n"}
    found = boxes_of(bind("end_to_end", options), outputs, spec(0.05))
    expected = [[10, 10, 30, 30], [11, 11, 31, 31], [0, 0, 96, 64]]
    np.testing.assert_allclose(found.xyxy, np.array(expected).reshape(-1, 4)[:count], atol=1e-4)


def test_end_to_end_refuses_outputs_of_which_only_some_have_a_batch_axis() -> None:
    outputs = end_to_end_outputs()
    outputs["scores"] = outputs["scores"][0]
    with pytest.raises(OptionError, match=r"all without the 1, got \(1, 4, 4\), \(1, 4\), \(4,\)"):
        bind("end_to_end", {})(outputs, spec())


@pytest.mark.parametrize("name", ["yolox", "yolov5", "yolov8"])
def test_another_shape_than_the_labels_ask_for_is_an_error(name: str) -> None:
    with pytest.raises(OptionError, match=rf"{name}: expected an output .* got \(1, 9, 9\)"):
        bind(name, {})({"output": np.zeros((1, 9, 9), np.float32)}, spec())


@pytest.mark.parametrize("name", ["yolox", "yolov5", "yolov8"])
def test_the_output_is_named_where_there_are_several(name: str) -> None:
    outputs = {"a": np.zeros((1, 9, 9), np.float32), "b": np.zeros((1, 9, 9), np.float32)}
    with pytest.raises(OptionError, match=r"options\.output: expected one of a, b, got none"):
        bind(name, {})(outputs, spec())
    with pytest.raises(OptionError, match='no output "c"; the network has a, b'):
        bind(name, {"output": "c"})(outputs, spec())


@pytest.mark.parametrize("name", ["yolox", "yolov5", "yolov8"])
def test_nothing_found_is_no_boxes(name: str) -> None:
    shapes = {"yolox": (1, 126, 8), "yolov5": (1, 50, 8), "yolov8": (1, 7, 50)}
    found = boxes_of(bind(name, {}), {"o": np.zeros(shapes[name], np.float32)}, spec())
    assert found.xyxy.shape == (0, 4)


@pytest.mark.parametrize("count", [0, 1, 2, 300])
def test_suppression_is_within_each_class(count: int) -> None:
    random = np.random.default_rng(count)
    corner = random.random((count, 2)) * 60
    xyxy = np.hstack([corner, corner + 5 + random.random((count, 2)) * 30]).astype(np.float32)
    score, class_id = random.random(count).astype(np.float32), random.integers(0, 3, count)
    rows = [
        (float(s), int(c), (float(b[0]), float(b[1]), float(b[2]), float(b[3])))
        for s, c, b in zip(score, class_id, xyxy, strict=True)
    ]
    boxes = Boxes(xyxy, score, class_id.astype(np.int32))
    assert_same(fast_suppress(boxes, spec()), suppress(rows, 0.45))


def test_identical_boxes_of_two_classes_both_stay() -> None:
    xyxy = np.array([[0, 0, 9, 9]] * 3, np.float32)
    boxes = Boxes(xyxy, np.array([0.5, 0.9, 0.4], np.float32), np.array([0, 1, 0], np.int32))
    np.testing.assert_array_equal(fast_suppress(boxes, spec()).class_id, [1, 0])


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "yolox",
            {"stride": [8]},
            'options.stride: decoder yolox has no such option; did you mean "strides"?',
        ),
        ("yolox", {"strides": [8, "x"]}, "options.strides.1: expected a valid integer"),
        (
            "end_to_end",
            {"format": "xywh"},
            "options.format: expected 'xyxy', 'yxyx' or 'cxcywh', got 'xywh'",
        ),
        ("argmax", {}, "options.planes: missing, and required by decoder argmax"),
    ],
)
def test_a_bad_option_names_itself(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError) as caught:
        bind(name, options)
    assert str(caught.value).startswith(message)


def test_an_unknown_decoder_gets_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match='no decoder "yolo8"; did you mean "yolov8"'):
        bind("yolo8", {})

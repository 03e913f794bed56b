"""Networks whose outputs are unlike most: rows that a suppression chose, numbers beyond 0..1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import engines
from engines.convert.recognise.evidence import are_chances
from tests.support.conversions import imported, photographs
from tests.support.onnx_networks import (
    AS_YOLOV8,
    COLOURS,
    cell_boxes,
    colour_grid,
    floats,
    green_square,
    save,
)

make: Any = helper.make_node


def with_nms(path: Path, left_first: bool, shown: bool, batch: bool = False) -> Path:
    """A detector of colours with cells of 8 pixels that ends at a NonMaxSuppression."""
    centre = cell_boxes(64, 64, 8)[0]
    low, high = centre[:2] - centre[2:] / 2, centre[:2] + centre[2:] / 2
    corners = np.concatenate([low, high] if left_first else [low[::-1], high[::-1]]).T[None]
    nodes = [
        make("AveragePool", ["images"], ["mean"], kernel_shape=[8, 8], strides=[8, 8]),
        make("Reshape", ["mean", "flat"], ["chances"]),
        make("Add", ["corners", "none"], ["edges"]),
        make("NonMaxSuppression", ["edges", "chances", "most", "iou", "least"], ["rows"]),
        make("Cast", ["rows"], ["kept"], to=TensorProto.INT32),
    ]
    constants: dict[str, Any] = {
        "flat": np.array([1, 3, -1], np.int64),
        "corners": corners.astype(np.float32),
        "none": np.zeros(1, np.float32),
        "most": np.array([50], np.int64),
        "iou": np.array([0.3], np.float32),
        "least": np.array([0.2], np.float32),
    }
    kept = helper.make_tensor_value_info("kept", TensorProto.INT32, [None, 3])
    if batch:
        nodes[-1].output[0] = "numbers"
        nodes.append(make("Unsqueeze", ["numbers", "first"], ["kept"]))
        constants["first"] = np.array([0], np.int64)
        kept = helper.make_tensor_value_info("kept", TensorProto.INT32, [1, None, 3])
    ends = [floats("edges", [1, 64, 4]), floats("chances", [1, 3, 64])] if shown else []
    return save(path, nodes, constants, [floats("images", [1, 3, 64, 64])], [*ends, kept])


@pytest.mark.parametrize("shown", [True, False])
@pytest.mark.parametrize("left_first", [True, False])
def test_boxes_by_number_of_a_suppression(tmp_path: Path, left_first: bool, shown: bool) -> None:
    source = with_nms(tmp_path / "net.onnx", left_first, shown)
    made = imported(source, tmp_path / "out", labels=COLOURS, frames=photographs(tmp_path))
    manifest = engines.manifest.read(made.manifest)
    assert manifest.decoder == "selected"
    assert manifest.options.get("format", "yxyx") == ("xyxy" if left_first else "yxyx")
    added = "outputs edges, chances added, from which its NonMaxSuppression chooses"
    assert made.about["onnx"]["by"] == ("as it is" if shown else added)
    rgb = np.zeros((64, 64, 3), np.uint8)
    rgb[8:16, 40:48, 1] = 255
    (found,) = engines.load(str(made.manifest), threshold=0.5)(rgb).detections
    assert found[0] == "green"
    assert found[1] == pytest.approx(1)
    assert np.allclose(found[2], [36, 6, 52, 18])  # 2 by 1.5 cells, about the cell's centre


def test_such_rows_may_have_an_axis_of_images(tmp_path: Path) -> None:
    source = with_nms(tmp_path / "net.onnx", left_first=False, shown=True, batch=True)
    made = imported(source, tmp_path / "out", labels=COLOURS, frames=photographs(tmp_path))
    rgb = np.zeros((64, 64, 3), np.uint8)
    rgb[8:16, 40:48, 1] = 255
    (found,) = engines.load(str(made.manifest), threshold=0.5)(rgb).detections
    assert found[0] == "green"
    assert np.allclose(found[2], [36, 6, 52, 18])


def test_scores_with_their_classes_first(tmp_path: Path) -> None:
    width = height = 64
    constants: dict[str, Any] = {"flat": np.array([1, 3, -1], np.int64)}
    nodes = []
    for stride in (8, 16, 32):
        constants[f"boxes{stride}"] = cell_boxes(width, height, stride).transpose(0, 2, 1)
        kernel = {"kernel_shape": [stride, stride], "strides": [stride, stride]}
        nodes += [
            make("AveragePool", ["images"], [f"mean{stride}"], **kernel),
            make("Reshape", [f"mean{stride}", "flat"], [f"flat{stride}"]),
        ]
    nodes += [
        make("Concat", [f"flat{s}" for s in (8, 16, 32)], ["chances"], axis=2),
        make("Concat", [f"boxes{s}" for s in (8, 16, 32)], ["corners"], axis=1),
    ]
    for stride in (8, 16, 32):  # to corners
        low, high = np.split(constants[f"boxes{stride}"], 2, axis=2)
        made_of = np.concatenate([low - high / 2, low + high / 2], axis=2)
        constants[f"boxes{stride}"] = made_of.astype(np.float32)
    ends = [floats("corners", [1, 84, 4]), floats("chances", [1, 3, 84])]
    image = floats("images", [1, 3, height, width])
    source = save(tmp_path / "net.onnx", nodes, constants, [image], ends)
    made = imported(source, tmp_path / "out", labels=COLOURS, frames=photographs(tmp_path))
    manifest = engines.manifest.read(made.manifest)
    assert (manifest.decoder, manifest.options["channels"]) == ("boxes_scores", "first")
    found = engines.load(str(made.manifest))(green_square()).detections
    assert {label for label, _, _ in found} == {"green"}


def stretched(path: Path) -> Path:
    """A detector of colours whose numbers leave 0..1 a little, as rounding to 8 bits does."""
    colour_grid(path, "yolov8", 160, 160)
    model = onnx.load(str(path))
    graph = model.graph
    for tensor in graph.initializer:
        if tensor.name.startswith("boxes"):
            parts = onnx.numpy_helper.to_array(tensor) / np.float32(160)
            tensor.CopyFrom(onnx.numpy_helper.from_array(parts, tensor.name))
    graph.node[-1].output[0] = "exact"
    graph.node.append(make("Mul", ["exact", "wider"], ["wide"]))
    graph.node.append(make("Sub", ["wide", "lower"], ["output0"]))
    for name, value in (("wider", 1.025), ("lower", 0.0125)):
        graph.initializer.append(onnx.numpy_helper.from_array(np.array([value], np.float32), name))
    onnx.save(model, path)
    return path


def test_scores_a_little_outside_of_their_range_are_scores(tmp_path: Path) -> None:
    source = stretched(tmp_path / "net.onnx")
    asked = {key: value for key, value in AS_YOLOV8.items() if key != "options"}
    options = {"normalised": True}
    made = imported(source, tmp_path / "out", **asked, options=options)
    rgb = np.zeros((160, 160, 3), np.uint8)
    rgb[16:48, 16:48, 1] = 255
    found = engines.load(str(made.manifest))(rgb).detections
    assert {label for label, _, _ in found} == {"green"}
    assert found.score.max() == 1


@pytest.mark.parametrize(
    ("values", "are"),
    [
        ([0, 0.5, 1], True),
        ([-0.0125, 0.9, 1.0125], True),
        ([-0.0125, 0.02], False),
        ([-0.008, 0.008], False),
        ([0, 1.2], False),
        ([-0.3, 1], False),
        ([], True),
    ],
)
def test_what_may_be_probabilities(values: list[float], are: bool) -> None:
    assert are_chances(np.array(values, np.float32)) is are


def of_paddle(path: Path) -> Path:
    """A green box, its rows as Paddle's NMS has them, and how many there are."""
    nodes = [
        make("ReduceMax", ["image"], ["most"], axes=[2, 3], keepdims=0),
        make("Slice", ["most", "one", "two", "one"], ["green"]),
        make("Concat", ["class", "green", "corners"], ["rows"], axis=1),
        make("Shape", ["rows"], ["sides"]),
        make("Gather", ["sides", "zero"], ["count"], axis=0),
    ]
    constants: dict[str, Any] = {
        "one": np.array([1], np.int64),
        "two": np.array([2], np.int64),
        "zero": np.array([0], np.int64),
        "class": np.array([[1]], np.float32),
        "corners": np.array([[16, 8, 40, 48]], np.float32),
    }
    count = helper.make_tensor_value_info("count", TensorProto.INT64, [1])
    ends = [floats("rows", ["n", 6]), count]
    return save(path, nodes, constants, [floats("image", ["n", 3, 64, 64])], ends)


def test_rows_of_paddle_and_how_many(tmp_path: Path) -> None:
    source = of_paddle(tmp_path / "net.onnx")
    made = imported(source, tmp_path / "out", labels=COLOURS, frames=photographs(tmp_path))
    manifest = engines.manifest.read(made.manifest)
    assert (manifest.decoder, manifest.options["output"]) == ("rows", "rows")
    assert manifest.options["columns"][:2] == ["class", "score"]
    (found,) = engines.load(str(made.manifest))(green_square()).detections
    assert found[0] == "green"
    assert found[1] == pytest.approx(1)
    assert found[2].tolist() == [16, 8, 40, 48]

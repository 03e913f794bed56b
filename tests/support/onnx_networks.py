"""Small networks in the layouts of real exports, built where a test needs one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper
from onnx.numpy_helper import from_array

COLOURS = ("red", "green", "blue")
STRIDES = (8, 16)


def save(
    path: Path,
    nodes: list[onnx.NodeProto],
    constants: Mapping[str, NDArray[Any]],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
) -> Path:
    """Writes a checked model of opset 17."""
    initial = [from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, path.stem, inputs, outputs, initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())
    return path


def run_by(network: str | bytes) -> ort.InferenceSession:
    """Return a session on one thread, as further ones would wait for work by spinning.

    Args:
        network: the path of an ONNX file, or what is in it.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(network, options, providers=["CPUExecutionProvider"])


def floats(name: str, shape: Sequence[int | str | None]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def cell_boxes(width: int, height: int, stride: int) -> NDArray[np.float32]:
    """(1, 4, cells): each cell's centre, and a box of 2 by 1.5 strides."""
    row, column = np.divmod(np.arange(width // stride * (height // stride)), width // stride)
    centre = np.stack([column, row]) * stride + stride / 2
    size = np.broadcast_to([[2.0 * stride], [1.5 * stride]], centre.shape)
    return np.concatenate([centre, size])[None].astype(np.float32)


def colour_grid(path: Path, layout: str, width: int = 96, height: int = 64) -> Path:
    """A detector of pure colours whose head is exported as YOLOv8's or YOLOv5's is.

    Per stride, average pooling gives each cell its colour, a sigmoid per class says how much of
    the cell is that colour, and the head concatenates the strides. ``yolov8``: (1, 4 + 3, n).
    ``yolov5``: an objectness of its own, transposed to (1, n, 5 + 3).
    """
    node = helper.make_node
    nodes: list[onnx.NodeProto] = []
    constants: dict[str, NDArray[Any]] = {
        "half": np.array([0.5], np.float32),
        "steep": np.array([20], np.float32),
        "flat": np.array([1, 3, -1], np.int64),
    }
    for stride in STRIDES:
        constants[f"boxes{stride}"] = cell_boxes(width, height, stride)
        kernel: dict[str, Any] = {"kernel_shape": [stride, stride], "strides": [stride, stride]}
        nodes += [
            node("AveragePool", ["images"], [f"mean{stride}"], **kernel),
            node("Reshape", [f"mean{stride}", "flat"], [f"flat{stride}"]),
        ]
    nodes += [
        node("Concat", [f"flat{s}" for s in STRIDES], ["means"], axis=2),
        node("Concat", [f"boxes{s}" for s in STRIDES], ["boxes"], axis=2),
        node("Sub", ["means", "half"], ["centred"]),
        node("Mul", ["centred", "steep"], ["logits"]),
        node("Sigmoid", ["logits"], ["classes"]),
    ]
    cells = sum(width // s * (height // s) for s in STRIDES)
    if layout == "yolov8":
        nodes.append(node("Concat", ["boxes", "classes"], ["output0"], axis=1))
        output = floats("output0", [1, 7, cells])
    else:
        nodes += [
            node("ReduceMax", ["classes"], ["objectness"], axes=[1], keepdims=1),
            node("Concat", ["boxes", "objectness", "classes"], ["columns"], axis=1),
            node("Transpose", ["columns"], ["output0"], perm=[0, 2, 1]),
        ]
        output = floats("output0", [1, cells, 8])
    return save(path, nodes, constants, [floats("images", [1, 3, height, width])], [output])


def green_square(side: int = 64) -> NDArray[np.uint8]:
    """A green square of 32 pixels on black, its upper left corner at (16, 16)."""
    rgb = np.zeros((side, side, 3), np.uint8)
    rgb[16:48, 16:48, 1] = 255
    return rgb


# How an import reads ``colour_grid`` of any size: its two strides are too few to be recognised.
AS_YOLOV8: dict[str, Any] = {
    "labels": COLOURS,
    "task": "detect",
    "decoder": "yolov8",
    "options": {"format": "cxcywh"},
}


def planes(path: Path, shape: list[int | str | None], ops: int = 1) -> onnx.ModelProto:
    """A network that gives each channel as a plane."""
    names = ["x", *(f"t{i}" for i in range(ops - 1)), "logits"]
    nodes = [helper.make_node("Mul", [a, "nine"], [b]) for a, b in pairwise(names)]
    nodes.append(helper.make_node("Sub", ["logits", "half"], ["planes"]))
    constants = {"nine": np.array([9], np.float32), "half": np.array([4.5], np.float32)}
    save(path, nodes, constants, [floats("x", shape)], [floats("planes", shape)])
    return onnx.load(str(path))


def crop_points(path: Path) -> Path:
    """A network in MoveNet's layout that finds the same three points in each image.

    They are at (1/8, 1/4), (7/8, 3/4) and the middle; the last has score 0.2, the others are the
    surer the brighter the image's brightest pixel is.
    """
    table = np.array([[[[0.25, 0.125, 1], [0.75, 0.875, 1], [0.5, 0.5, 0.2]]]], np.float32)
    places = np.array([1, 1, 0], np.float32)
    constants: dict[str, NDArray[Any]] = {"table": table, "places": places, "scores": 1 - places}
    nodes = [
        helper.make_node("ReduceMax", ["image"], ["bright"], keepdims=0),
        helper.make_node("Mul", ["scores", "bright"], ["by_light"]),
        helper.make_node("Add", ["places", "by_light"], ["factor"]),
        helper.make_node("Mul", ["table", "factor"], ["points"]),
    ]
    inputs, outputs = [floats("image", [1, 3, 48, 64])], [floats("points", [1, 1, 3, 3])]
    return save(path, nodes, constants, inputs, outputs)

"""The graph of test-heads: rectangles, ground and band at once, in the layout of YOLOP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from engines.zoo.boxes_graph import box_nodes
from engines.zoo.graph import LEAST_DIFFERENCE, STRIDES, cell_nodes, save

WIDTH, HEIGHT, ANCHORS, CLASSES = 640, 384, 3, 3


def planes(constants: dict[str, Any]) -> list[onnx.NodeProto]:
    """Logits of two outputs, each of a background and a plane: (1, 2, height, width).

    ``lane_line_seg`` is how far red and blue both exceed green; ``drive_area_seg`` how little the
    channels of a pixel differ: the grey ground.
    """
    node = helper.make_node
    constants["half"] = np.array(LEAST_DIFFERENCE, np.float32)
    return [
        node("Split", ["image", "thirds"], ["red", "green", "blue"], axis=1),
        node("Min", ["red", "blue"], ["magenta"]),
        node("Sub", ["magenta", "green"], ["band"]),
        node("Sub", ["band", "half"], ["is_band"]),
        node("Neg", ["is_band"], ["no_band"]),
        node("Concat", ["no_band", "is_band"], ["lane_line_seg"], axis=1),
        node("ReduceMax", ["image"], ["brightest"], axes=[1], keepdims=1),
        node("ReduceMin", ["image"], ["darkest"], axes=[1], keepdims=1),
        node("Sub", ["brightest", "darkest"], ["apart"]),
        node("Sub", ["half", "apart"], ["is_ground"]),
        node("Neg", ["is_ground"], ["no_ground"]),
        node("Concat", ["no_ground", "is_ground"], ["drive_area_seg"], axis=1),
    ]


def table(constants: dict[str, Any]) -> list[onnx.NodeProto]:
    """``det_out``, (1, n, 5 + 3): a colour in each of the first three rows, with objectness."""
    node = helper.make_node
    constants |= {
        "each": np.eye(CLASSES, dtype=np.float32)[None],
        "two": np.array(2, np.float32),
        "nothing_of_each": np.zeros((1, 1, 1), np.float32),
        "anchors": np.array([1, ANCHORS, 1], np.int64),
        "three": np.array([CLASSES], np.int64),
        "end": np.array([2**31], np.int64),
    }
    return [
        node("Add", ["x_start", "x_end"], ["x_sum"]),
        node("Add", ["y_start", "y_end"], ["y_sum"]),
        node("Div", ["x_sum", "two"], ["x"]),
        node("Div", ["y_sum", "two"], ["y"]),
        node("Unsqueeze", ["scores", "axis_y"], ["objectness"]),
        node(
            "Concat",
            ["x", "y", "box_width", "box_height", "objectness", "each"],
            ["objects"],
            axis=2,
        ),
        *(node("Transpose", [f"cells{n}"], [f"rows{n}"], perm=[0, 2, 1]) for n in STRIDES),
        *(node("Tile", [f"rows{n}", "anchors"], [f"each{n}"]) for n in STRIDES),
        node("Concat", [f"each{n}" for n in STRIDES], ["every"], axis=1),
        node("Slice", ["every", "three", "end", "along_rows"], ["other_cells"]),
        node("Expand", ["nothing_of_each", "rest"], ["blank"]),
        node("Concat", ["other_cells", "blank"], ["other_rows"], axis=2),
        node("Concat", ["objects", "other_rows"], ["det_out"], axis=1),
    ]


def heads(folder: Path) -> Path:
    """test-heads: boxes, drivable ground and lane."""
    constants: dict[str, Any] = {}
    nodes = [*box_nodes(constants), *cell_nodes(constants, WIDTH, HEIGHT), *planes(constants)]
    count = ANCHORS * sum(WIDTH // s * (HEIGHT // s) for s in STRIDES)
    constants |= {
        "rest": np.array([1, count - CLASSES, 3 + CLASSES], np.int64),
        "along_rows": np.array([1], np.int64),
        "thirds": np.array([1, 1, 1], np.int64),
    }
    nodes += table(constants)
    size = [HEIGHT, WIDTH]
    outputs = [
        helper.make_tensor_value_info("det_out", TensorProto.FLOAT, [1, count, 5 + CLASSES]),
        helper.make_tensor_value_info("drive_area_seg", TensorProto.FLOAT, [1, 2, *size]),
        helper.make_tensor_value_info("lane_line_seg", TensorProto.FLOAT, [1, 2, *size]),
    ]
    return save("test-heads", nodes, constants, outputs, folder, (HEIGHT, WIDTH))

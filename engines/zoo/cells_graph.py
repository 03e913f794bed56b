"""The graphs of test-instances and test-pose, in the layouts of YOLO's networks of those kinds.

A column of the table for each cell of three strides; the first three have the coloured rectangles.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from engines.zoo.boxes_graph import box_nodes
from engines.zoo.graph import STRIDES, cell_nodes, save

COLOURS = 3
SIDES = (640, 384)  # width and height of the image
PROTOTYPES, PROTOTYPE_STRIDE = 32, 4
POINTS = 5  # the corners of a rectangle, clockwise from the top left, and its centre


def _table(
    more: str,
    empty: list[str],
    constants: dict[str, Any],
    before: Sequence[onnx.NodeProto] = (),
) -> list[onnx.NodeProto]:
    """Make ``output0``, (1, 7 + c, n), a column a cell: centre, size, scores, c further rows.

    The first three cells have the rectangles; the others are boxes of their own with score 0.

    Args:
        more: the rectangles' further rows, (1, c, 3).
        empty: those of an empty cell, (1, …, n) each: ``middle_x``, ``middle_y`` or ``blank``.
        constants: those of the nodes are added.
        before: the nodes that make ``more``.
    """
    node = helper.make_node
    constants |= {
        "halves": np.array([1, 1], np.int64),
        "behind": np.array([COLOURS], np.int64),
        "all": np.array([2**31], np.int64),
        "side": np.array(16, np.float32),
        "half": np.array(0.5, np.float32),
        "each_class": np.eye(COLOURS, dtype=np.float32)[None],
    }
    blanks = ["blank"] * COLOURS
    return [
        *box_nodes(constants),
        *cell_nodes(constants, *SIDES),
        node("Concat", [f"cells{stride}" for stride in STRIDES], ["every"], axis=2),
        node("Slice", ["every", "behind", "all", "axis_y"], ["cells"]),
        node("Split", ["cells", "halves"], ["middle_x", "middle_y"], axis=1),
        node("Mul", ["middle_x", "zero"], ["blank"]),
        node("Add", ["blank", "side"], ["sides"]),
        node("Mul", ["box_width", "half"], ["half_width"]),
        node("Mul", ["box_height", "half"], ["half_height"]),
        node("Add", ["x_start", "half_width"], ["centre_x"]),
        node("Add", ["y_start", "half_height"], ["centre_y"]),
        node("Concat", ["centre_x", "centre_y", "box_width", "box_height"], ["sized"], axis=2),
        node("Transpose", ["sized"], ["box_rows"], perm=[0, 2, 1]),
        node("Mul", ["scores", "each_class"], ["score_rows"]),
        *before,
        node("Concat", ["box_rows", "score_rows", more], ["found"], axis=1),
        node("Concat", ["cells", "sides", "sides", *blanks, *empty], ["others_cells"], axis=1),
        node("Concat", ["found", "others_cells"], ["output0"], axis=2),
    ]


def instances(folder: Path) -> Path:
    """test-instances: the boxes with a mask each; three of the prototypes are the colours."""
    node = helper.make_node
    constants: dict[str, Any] = {}
    side = [PROTOTYPE_STRIDE] * 2
    mixed = np.zeros((1, PROTOTYPES, COLOURS), np.float32)
    mixed[0, :COLOURS] = np.eye(COLOURS)
    nodes = [
        *_table("coefficients", ["blank"] * PROTOTYPES, constants),
        node("AveragePool", ["pixels"], ["shares"], kernel_shape=side, strides=side),
        node("Sub", ["shares", "half"], ["colours"]),
        node("Pad", ["colours", "unused"], ["output1"]),
    ]
    constants |= {
        "coefficients": mixed,
        "unused": np.array([0, 0, 0, 0, 0, PROTOTYPES - COLOURS, 0, 0], np.int64),
    }
    shape = [1, PROTOTYPES, *(length // PROTOTYPE_STRIDE for length in SIDES[::-1])]
    outputs = [
        _cells_output(PROTOTYPES),
        helper.make_tensor_value_info("output1", TensorProto.FLOAT, shape),
    ]
    return save("test-instances", nodes, constants, outputs, folder, SIDES[::-1])


def pose(folder: Path) -> Path:
    """test-pose: the boxes with the corners and the centre of each."""
    node = helper.make_node
    flat = [f"flat_{name}" for name in ("left", "top", "right", "bottom", "x", "y", "score")]
    left, top, right, bottom, x, y, score = flat
    corners = [left, top, score, right, top, score, right, bottom, score, left, bottom, score]
    edges = ("x_start", "y_start", "x_end", "y_end", "centre_x", "centre_y")
    before = [
        *(
            node("Transpose", [edge], [name], perm=[0, 2, 1])
            for edge, name in zip(edges, flat, strict=False)
        ),
        node("Unsqueeze", ["scores", "axis_second"], [score]),
        node("Concat", [*corners, x, y, score], ["points"], axis=1),
    ]
    constants: dict[str, Any] = {"axis_second": np.array([1], np.int64)}
    nodes = _table("points", ["middle_x", "middle_y", "blank"] * POINTS, constants, before)
    return save("test-pose", nodes, constants, [_cells_output(3 * POINTS)], folder, SIDES[::-1])


def _cells_output(more: int) -> onnx.ValueInfoProto:
    cells = sum((SIDES[0] // stride) * (SIDES[1] // stride) for stride in STRIDES)
    shape = [1, 4 + COLOURS + more, cells]
    return helper.make_tensor_value_info("output0", TensorProto.FLOAT, shape)

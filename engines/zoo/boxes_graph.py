"""The graph of test-boxes: the upright box of each pure colour."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from engines.zoo.graph import LEAST_DIFFERENCE, save

LEAST_RUN = 3.0  # pixels of a colour in a row or column that are no speck


def _edges(axis: str, counts: str, size: str) -> list[onnx.NodeProto]:
    """First and last + 1 index along a (1, 3, n) count at which a colour is seen."""
    node = helper.make_node
    return [
        node("GreaterOrEqual", [counts, "least_run"], [f"{axis}_seen"]),
        node("Cast", [f"{axis}_seen"], [f"{axis}_float"], to=TensorProto.FLOAT),
        node("ArgMax", [f"{axis}_float"], [f"{axis}_first"], axis=2, keepdims=1),
        node(
            "ArgMax", [f"{axis}_float"], [f"{axis}_last"], axis=2, keepdims=1, select_last_index=1
        ),
        node("Cast", [f"{axis}_first"], [f"{axis}_start"], to=TensorProto.FLOAT),
        node("Cast", [f"{axis}_last"], [f"{axis}_last_float"], to=TensorProto.FLOAT),
        node("Add", [f"{axis}_last_float", "one"], [f"{axis}_end"]),
        node("Sub", [f"{axis}_end", f"{axis}_start"], [size]),
    ]


def box_nodes(constants: dict[str, Any]) -> list[onnx.NodeProto]:
    """Make ``boxes``, corners of red, green and blue, (1, 3, 4), and their ``scores``, (1, 3).

    A colour exceeds the larger of the two others; the score is the part of the box that it fills,
    so that an absent colour has score 0.
    """
    node = helper.make_node
    constants |= {
        "one_other": np.array([1, 2, 0], np.int64),
        "two_other": np.array([2, 0, 1], np.int64),
        "least_difference": np.array(LEAST_DIFFERENCE, np.float32),
        "least_run": np.array(LEAST_RUN, np.float32),
        "one": np.array(1, np.float32),
        "axis_y": np.array([2], np.int64),
        "axis_x": np.array([3], np.int64),
        "axes_xy": np.array([2, 3], np.int64),
    }
    return [
        node("Gather", ["image", "one_other"], ["first"], axis=1),
        node("Gather", ["image", "two_other"], ["second"], axis=1),
        node("Max", ["first", "second"], ["others"]),
        node("Sub", ["image", "others"], ["difference"]),
        node("Greater", ["difference", "least_difference"], ["seen"]),
        node("Cast", ["seen"], ["pixels"], to=TensorProto.FLOAT),
        node("ReduceSum", ["pixels", "axis_y"], ["columns"], keepdims=0),
        node("ReduceSum", ["pixels", "axis_x"], ["rows"], keepdims=0),
        *_edges("x", "columns", "box_width"),
        *_edges("y", "rows", "box_height"),
        node("Concat", ["x_start", "y_start", "x_end", "y_end"], ["boxes"], axis=2),
        node("ReduceSum", ["pixels", "axes_xy"], ["filled"], keepdims=0),
        node("Mul", ["box_width", "box_height"], ["area"]),
        node("Squeeze", ["area", "axis_y"], ["area_flat"]),
        node("Div", ["filled", "area_flat"], ["ratio"]),
        node("Min", ["ratio", "one"], ["scores"]),
    ]


def boxes(folder: Path) -> Path:
    """test-boxes: the box of the red, the green and the blue rectangle."""
    constants: dict[str, Any] = {}
    nodes = [
        *box_nodes(constants),
        helper.make_node("Identity", ["class_ids"], ["labels"]),
    ]
    constants["class_ids"] = np.array([[0, 1, 2]], np.int64)
    outputs = [
        helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [1, 3, 4]),
        helper.make_tensor_value_info("labels", TensorProto.INT64, [1, 3]),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 3]),
    ]
    return save("test-boxes", nodes, constants, outputs, folder)

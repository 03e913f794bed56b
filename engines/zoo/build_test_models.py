"""Builds the networks that see the synthetic camera's image exactly: test-boxes, test-lane, ….

They hold no weights, only arithmetic on colours: a red rectangle is where red exceeds green and
blue by half the range. ``python -m engines.zoo.build_test_models [FOLDER]`` writes the files.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from engines.zoo.graph import LEAST_DIFFERENCE, save
from engines.zoo.oriented_graph import oriented

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


def boxes(folder: Path) -> Path:
    """test-boxes: the box of the red, the green and the blue rectangle.

    A colour exceeds the larger of the two others; the score is the part of the box that it fills,
    so that an absent colour has score 0.
    """
    node = helper.make_node
    nodes = [
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
        node("Identity", ["class_ids"], ["labels"]),
    ]
    constants = {
        "one_other": np.array([1, 2, 0], np.int64),
        "two_other": np.array([2, 0, 1], np.int64),
        "least_difference": np.array(LEAST_DIFFERENCE, np.float32),
        "least_run": np.array(LEAST_RUN, np.float32),
        "one": np.array(1, np.float32),
        "axis_y": np.array([2], np.int64),
        "axis_x": np.array([3], np.int64),
        "axes_xy": np.array([2, 3], np.int64),
        "class_ids": np.array([[0, 1, 2]], np.int64),
    }
    outputs = [
        helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [1, 3, 4]),
        helper.make_tensor_value_info("labels", TensorProto.INT64, [1, 3]),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 3]),
    ]
    return save("test-boxes", nodes, constants, outputs, folder)


def lane(folder: Path) -> Path:
    """test-lane: how far red and blue both exceed green, 0..1 per pixel: the magenta band."""
    node = helper.make_node
    nodes = [
        node("Split", ["image", "thirds"], ["red", "green", "blue"], axis=1),
        node("Min", ["red", "blue"], ["magenta"]),
        node("Sub", ["magenta", "green"], ["difference"]),
        node("Div", ["difference", "full"], ["ratio"]),
        node("Clip", ["ratio", "zero", "one"], ["lane"]),
    ]
    constants = {
        "thirds": np.array([1, 1, 1], np.int64),
        "full": np.array(255, np.float32),
        "zero": np.array(0, np.float32),
        "one": np.array(1, np.float32),
    }
    shape: list[str | int | None] = [1, 1, "height", "width"]
    outputs = [helper.make_tensor_value_info("lane", TensorProto.FLOAT, shape)]
    return save("test-lane", nodes, constants, outputs, folder)


BUILDS = (boxes, lane, oriented)


def main() -> None:
    """Writes all files into the folder given, or beside this file."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for build in BUILDS:
        sys.stdout.write(f"{build(folder)}\n")


if __name__ == "__main__":
    main()

"""The graph of test-oriented: rotated boxes of pure colours, in the layout of YOLO's OBB exports.

Of each colour's pixels the centre, the spread along their main axes and its direction are those of
the rectangle that they fill (moments of the second order), exact but for a pixel's edge.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from engines.zoo.graph import LEAST_DIFFERENCE, STRIDES, cell_nodes, save

WIDTH, HEIGHT = 640, 384
LEAST_AREA = 64.0  # pixels of a colour that are no speck


def colours(constants: dict[str, Any]) -> list[onnx.NodeProto]:
    """1.0 at the pixels of red, green, blue and magenta: ``pixels``, (1, 4, height, width)."""
    node = helper.make_node
    constants |= {
        "one_other": np.array([1, 2, 0], np.int64),
        "two_other": np.array([2, 0, 1], np.int64),
        "thirds": np.array([1, 1, 1], np.int64),
        "least_difference": np.array(LEAST_DIFFERENCE, np.float32),
    }
    return [
        node("Gather", ["image", "one_other"], ["first"], axis=1),
        node("Gather", ["image", "two_other"], ["second"], axis=1),
        node("Max", ["first", "second"], ["others"]),
        node("Sub", ["image", "others"], ["above"]),
        node("Split", ["image", "thirds"], ["red", "green", "blue"], axis=1),
        node("Min", ["red", "blue"], ["magenta"]),
        node("Sub", ["magenta", "green"], ["above_green"]),
        node("Concat", ["above", "above_green"], ["difference"], axis=1),
        node("Greater", ["difference", "least_difference"], ["seen"]),
        node("Cast", ["seen"], ["pixels"], to=TensorProto.FLOAT),
    ]


def moments(constants: dict[str, Any]) -> list[onnx.NodeProto]:
    """Area, centre, spread in x and y and both together of each colour: (1, 4, 1) each."""
    node = helper.make_node
    constants |= {
        "x": (np.arange(WIDTH, dtype=np.float32) + 0.5)[None, None],
        "y": (np.arange(HEIGHT, dtype=np.float32) + 0.5)[None, None],
        "axis_y": np.array([2], np.int64),
        "axis_x": np.array([3], np.int64),
        "one": np.array(1, np.float32),
    }
    nodes = [
        node("ReduceSum", ["pixels", "axis_y"], ["count_x"], keepdims=0),
        node("ReduceSum", ["pixels", "axis_x"], ["count_y"], keepdims=0),
        node("ReduceSum", ["count_x", "axis_y"], ["area"], keepdims=1),
        node("Max", ["area", "one"], ["divisor"]),
    ]
    for axis in "xy":
        nodes += [
            node("Mul", [f"count_{axis}", axis], [f"weighed_{axis}"]),
            node("ReduceSum", [f"weighed_{axis}", "axis_y"], [f"sum_{axis}"], keepdims=1),
            node("Div", [f"sum_{axis}", "divisor"], [f"centre_{axis}"]),
            node("Sub", [axis, f"centre_{axis}"], [f"off_{axis}"]),
            node("Mul", [f"off_{axis}", f"off_{axis}"], [f"square_{axis}"]),
            node("Mul", [f"square_{axis}", f"count_{axis}"], [f"squares_{axis}"]),
            node("ReduceSum", [f"squares_{axis}", "axis_y"], [f"moment_{axis}"], keepdims=1),
            node("Div", [f"moment_{axis}", "divisor"], [f"spread_{axis}"]),
        ]
    return [
        *nodes,
        node("Unsqueeze", ["off_x", "axis_x"], ["column"]),
        node("Unsqueeze", ["off_y", "axis_y"], ["row"]),
        node("MatMul", ["pixels", "column"], ["of_rows"]),
        node("MatMul", ["row", "of_rows"], ["product"]),
        node("Squeeze", ["product", "axis_x"], ["both"]),
        node("Div", ["both", "divisor"], ["spread_xy"]),
    ]


def boxes(constants: dict[str, Any]) -> list[onnx.NodeProto]:
    """Size, angle and score of the rectangle of each colour: (1, 4, 1) each."""
    node = helper.make_node
    constants |= {
        "half": np.array(0.5, np.float32),
        "twelve": np.array(12, np.float32),
        "tiny": np.array(1e-4, np.float32),
        "least_area": np.array(LEAST_AREA, np.float32),
    }
    nodes = [
        node("Add", ["spread_x", "spread_y"], ["both_spreads"]),
        node("Mul", ["both_spreads", "half"], ["middle"]),
        node("Sub", ["spread_x", "middle"], ["from_middle"]),
        node("Mul", ["from_middle", "from_middle"], ["from_middle_2"]),
        node("Mul", ["spread_xy", "spread_xy"], ["spread_xy_2"]),
        node("Add", ["from_middle_2", "spread_xy_2"], ["radius_2"]),
        node("Sqrt", ["radius_2"], ["radius"]),
        node("Add", ["middle", "radius"], ["spread_long"]),
        node("Sub", ["middle", "radius"], ["difference_short"]),
        node("Max", ["difference_short", "zero"], ["spread_short"]),
        node("Sub", ["spread_long", "spread_x"], ["rise"]),
        node("Add", ["spread_xy", "tiny"], ["run"]),
        node("Div", ["rise", "run"], ["slope"]),
        node("Atan", ["slope"], ["angle"]),
    ]
    for side in ("long", "short"):  # of n pixels in a row the spread is (n * n - 1) / 12
        nodes += [
            node("Mul", [f"spread_{side}", "twelve"], [f"squares_{side}"]),
            node("Add", [f"squares_{side}", "one"], [f"length_{side}_2"]),
            node("Sqrt", [f"length_{side}_2"], [f"length_{side}"]),
        ]
    return [
        *nodes,
        node("Mul", ["length_long", "length_short"], ["box_area"]),
        node("Div", ["area", "box_area"], ["filled"]),
        node("Min", ["filled", "one"], ["share"]),
        node("GreaterOrEqual", ["area", "least_area"], ["is_enough"]),
        node("Cast", ["is_enough"], ["enough"], to=TensorProto.FLOAT),
        node("Mul", ["share", "enough"], ["score"]),
    ]


def oriented(folder: Path) -> Path:
    """test-oriented: (1, 4 + 4 + 1, n), a colour in each of the first four columns."""
    node = helper.make_node
    constants: dict[str, Any] = {}
    cells = cell_nodes(constants, WIDTH, HEIGHT)
    nodes = [*colours(constants), *moments(constants), *boxes(constants), *cells]
    count = sum(WIDTH // stride * (HEIGHT // stride) for stride in STRIDES)
    constants |= {
        "each": np.eye(4, dtype=np.float32)[None],
        "none": np.zeros((1, 1, 1), np.float32),
        "rest": np.array([1, 7, count - 4], np.int64),
        "four": np.array([4], np.int64),
        "end": np.array([2**31], np.int64),
    }
    nodes += [
        node(
            "Concat",
            ["centre_x", "centre_y", "length_long", "length_short"],
            ["rows"],
            axis=2,
        ),
        node("Mul", ["score", "each"], ["classes"]),
        node("Concat", ["rows", "classes", "angle"], ["objects"], axis=2),
        node("Transpose", ["objects"], ["found"], perm=[0, 2, 1]),
        node("Concat", [f"cells{stride}" for stride in STRIDES], ["every"], axis=2),
        node("Slice", ["every", "four", "end", "axis_y"], ["cells"]),
        node("Expand", ["none", "rest"], ["nothing"]),
        node("Concat", ["cells", "nothing"], ["others_found"], axis=1),
        node("Concat", ["found", "others_found"], ["output0"], axis=2),
    ]
    outputs = [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 9, count])]
    return save("test-oriented", nodes, constants, outputs, folder, (HEIGHT, WIDTH))

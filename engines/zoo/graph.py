"""Graphs that hold no weights, only arithmetic on the colours of the synthetic camera's image."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnx.numpy_helper import from_array

OPSET = 17
STRIDES = (8, 16, 32)
LEAST_DIFFERENCE = 127.5  # half of 0..255: what blurred edges cross where the true edge is


def save(
    name: str,
    nodes: list[onnx.NodeProto],
    constants: Mapping[str, Any],
    outputs: list[onnx.ValueInfoProto],
    folder: Path,
    size: tuple[int | str, int | str] = ("height", "width"),
) -> Path:
    """Write a checked model of one image, (1, 3, *size) float32, and return its path."""
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, *size])
    initial = [from_array(value, key) for key, value in constants.items()]
    graph = helper.make_graph(nodes, name, [image], outputs, initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    model.producer_name = "mirante"
    onnx.checker.check_model(model, full_check=True)
    path = folder / f"{name}.onnx"
    path.write_bytes(model.SerializeToString(deterministic=True))
    return path


def cell_nodes(constants: dict[str, Any], width: int, height: int) -> list[onnx.NodeProto]:
    """Make the centres of the cells of each stride S in pixels: ``cellsS``, (1, 2, n)."""
    node = helper.make_node
    constants |= {"zero": np.array(0, np.float32), "flat": np.array([1, 1, -1], np.int64)}
    nodes = []
    for stride in STRIDES:
        across = (np.arange(width // stride, dtype=np.float32) + 0.5) * stride
        down = (np.arange(height // stride, dtype=np.float32) + 0.5) * stride
        constants[f"x{stride}"], constants[f"y{stride}"] = across[None, None], down[None, :, None]
        for own, other in ("xy", "yx"):
            nodes += [
                node("Mul", [f"{other}{stride}", "zero"], [f"none_{own}{stride}"]),
                node("Add", [f"{own}{stride}", f"none_{own}{stride}"], [f"grid_{own}{stride}"]),
                node("Reshape", [f"grid_{own}{stride}", "flat"], [f"flat_{own}{stride}"]),
            ]
        parts = [f"flat_x{stride}", f"flat_y{stride}"]
        nodes.append(node("Concat", parts, [f"cells{stride}"], axis=1))
    return nodes

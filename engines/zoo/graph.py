"""Graphs that hold no weights, only arithmetic on the colours of the synthetic camera's image."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper
from onnx.numpy_helper import from_array

OPSET = 17
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

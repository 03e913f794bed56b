"""Networks that take uint8 themselves, made to cast it first: GPUs do nothing else with it."""

from __future__ import annotations

from typing import Any

import numpy as np

from engines.builder.graphs import clone, inputs_of
from engines.builder.onnx_file import load_onnx

# They move values and compute none, so they may stand behind the cast as well as before it.
_MOVING = (
    *("Identity", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Gather"),
    *("Split", "Expand", "Tile", "DepthToSpace", "SpaceToDepth"),
)


def cast_first(model: Any) -> Any:
    """The same network with its input of uint8 cast to float32 by its first node.

    Nodes that only move values follow the cast; the casts that the network had are then of
    float32, and what it dequantised is subtracted and multiplied. A network that counts in uint8
    stays as it is, as does one without such an input.
    """
    onnx = load_onnx()
    taken = [
        name
        for name, each in inputs_of(model).items()
        if each.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    ]
    if len(taken) != 1 or is_cast_first(model, taken[0]):
        return model
    if (moved := _moved(model, taken[0])) is None:
        return model
    copy = clone(model)
    name = f"{taken[0]}.float32"
    for node in copy.graph.node:
        node.input[:] = [name if each == taken[0] else each for each in node.input]
    nodes: list[Any] = [
        onnx.helper.make_node("Cast", [taken[0]], [name], name, to=onnx.TensorProto.FLOAT)
    ]
    for node in copy.graph.node:
        is_dequantised = node.op_type == "DequantizeLinear" and node.input[0] in {name, *moved}
        nodes += _as_arithmetic(copy, node) if is_dequantised else [node]
    del copy.graph.node[:]
    copy.graph.node.extend(nodes)
    kept = [each for each in copy.graph.value_info if each.name not in moved]
    del copy.graph.value_info[:]
    copy.graph.value_info.extend(kept)
    return onnx.shape_inference.infer_shapes(copy)


def is_cast_first(model: Any, name: str) -> bool:
    """Return whether an input is cast, and nothing else is done with it."""
    return {node.op_type for node in model.graph.node if name in node.input} == {"Cast"}


def _moved(model: Any, name: str) -> set[str] | None:
    """The tensors that are moved uint8 of an input; None where something is computed of it."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    moved = {name}
    for node in model.graph.node:
        if not moved & set(node.input):
            continue
        if node.op_type in _MOVING and moved & set(node.input) == {node.input[0]}:
            moved |= set(node.output)
        elif node.op_type == "DequantizeLinear" and node.input[0] in moved:
            if any(each not in constants or len(constants[each].dims) for each in node.input[1:]):
                return None
        elif node.op_type != "Cast":
            return None
    return None if moved & {output.name for output in model.graph.output} else moved - {name}


def _as_arithmetic(model: Any, node: Any) -> list[Any]:
    """(x - zero) * scale, of one scale and zero point."""
    onnx = load_onnx()
    values = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    scale, *zero = (values[each].astype(np.float32) for each in node.input[1:])
    output = node.output[0]
    constants = {f"{output}.scale": scale, f"{output}.zero": zero[0] if zero else np.float32(0)}
    model.graph.initializer.extend(
        onnx.numpy_helper.from_array(np.asarray(value), each) for each, value in constants.items()
    )
    shifted = f"{output}.shifted"
    make = onnx.helper.make_node
    return [
        make("Sub", [node.input[0], f"{output}.zero"], [shifted], shifted),
        make("Mul", [shifted, f"{output}.scale"], [output], f"{output}.scaled"),
    ]

"""What of a network stays when it is trained on: all but the values of its weights."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import Any

from engines.builder.graphs import inputs_of
from engines.builder.onnx_file import load_onnx

# Inputs of these nodes that are constants are weights to TensorRT; those of others, such as the
# sizes of a Resize or the bounds of a Clip, it builds into the engine.
_WEIGHED = {
    "Add",
    "BatchNormalization",
    "Conv",
    "ConvTranspose",
    "Div",
    "Gemm",
    "InstanceNormalization",
    "LayerNormalization",
    "MatMul",
    "Mul",
    "PRelu",
    "Sub",
}


def structure_of(model: Any) -> str:
    """Return a digest of a network without the values of its weights.

    Args:
        model: the ``onnx.ModelProto`` that an engine is made of.
    """
    onnx = load_onnx()
    graph, weights = model.graph, weights_of(model)
    facts: list[Any] = [(each.domain, each.version) for each in model.opset_import]
    ends = (*inputs_of(model).values(), *graph.output)
    facts += [(each.name, each.type.SerializeToString(deterministic=True)) for each in ends]
    for node in graph.node:
        attributes = sorted(
            (each.name, each.SerializeToString(deterministic=True)) for each in node.attribute
        )
        facts.append((node.op_type, node.domain, [*node.input], [*node.output], attributes))
    for tensor in sorted(graph.initializer, key=lambda each: str(each.name)):
        value = b"" if tensor.name in weights else onnx.numpy_helper.to_array(tensor).tobytes()
        facts.append((tensor.name, [*tensor.dims], tensor.data_type, value))
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def weights_of(model: Any) -> set[str]:
    """Return the names of the initializers whose values may be others in an engine made already."""
    kinds = load_onnx().TensorProto
    floats = {kinds.FLOAT, kinds.FLOAT16}
    users: dict[str, set[str]] = defaultdict(set)
    for node in model.graph.node:
        for name in node.input:
            users[name].add(node.op_type)
    return {
        tensor.name
        for tensor in model.graph.initializer
        if tensor.data_type in floats and users[tensor.name] and users[tensor.name] <= _WEIGHED
    }

"""Small TF Lite files, written by their own schema where a test needs one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

Axes = Sequence[int]


def tensor(
    name: str, shape: Axes, kind: int, scale: float | Sequence[float] | None = None, zero: int = 0
) -> Any:
    """One of the graph's tensors; an axis below 0 is open."""
    made = schema.TensorT()
    made.name, made.type, made.buffer = name.encode(), kind, 0
    made.shape = [abs(axis) for axis in shape]
    made.shapeSignature = list(shape)
    if scale is not None:
        scales = [scale] if isinstance(scale, float) else list(scale)
        made.quantization = schema.QuantizationParametersT()
        made.quantization.scale, made.quantization.zeroPoint = scales, [zero] * len(scales)
        made.quantization.quantizedDimension = len(shape) - 1
    return made


def classifier(path: Path, kind: int) -> Path:
    """Quantised: the mean of each channel, and a softmax of them in 1/256."""
    operators = schema.BuiltinOperator
    window = schema.Pool2DOptionsT()
    window.filterHeight = window.filterWidth = window.strideH = window.strideW = 8
    window.padding = schema.Padding.VALID
    dropped, sharp = schema.SqueezeOptionsT(), schema.SoftmaxOptionsT()
    dropped.squeezeDims, sharp.beta = [1, 2], 1.0
    steps = [
        (operators.AVERAGE_POOL_2D, schema.BuiltinOptions.Pool2DOptions, window),
        (operators.SQUEEZE, schema.BuiltinOptions.SqueezeOptions, dropped),
        (operators.SOFTMAX, schema.BuiltinOptions.SoftmaxOptions, sharp),
    ]
    graph = schema.SubGraphT()
    graph.tensors = [
        tensor("image", (1, 8, 8, 3), kind, 1 / 255),
        tensor("pooled", (1, 1, 1, 3), kind, 1 / 255),
        tensor("means", (1, 3), kind, 1 / 255),
        tensor("chances", (1, 3), kind, 1 / 256),
    ]
    graph.inputs, graph.outputs, graph.operators = [0], [3], []
    codes = []
    for index, (operator, options, values) in enumerate(steps):
        code, node = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode = code.deprecatedBuiltinCode = operator
        code.version = 1
        node.inputs, node.outputs, node.opcodeIndex = [index], [index + 1], index
        node.builtinOptionsType, node.builtinOptions = options, values
        codes.append(code)
        graph.operators.append(node)
    return _written(path, codes, graph)


def unary(path: Path, operator: int, source: Any, targets: Sequence[Any]) -> Path:
    """A file without signature whose outputs are each the same operator of its one input."""
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = operator
    code.version = 2 if source.type == schema.TensorType.INT8 else 1
    graph = schema.SubGraphT()
    graph.tensors = [source, *targets]
    graph.inputs, graph.outputs, graph.operators = [0], list(range(1, len(targets) + 1)), []
    for index in graph.outputs:
        node = schema.OperatorT()
        node.inputs, node.outputs, node.opcodeIndex = [0], [index], 0
        graph.operators.append(node)
    return _written(path, [code], graph)


def _written(path: Path, codes: list[Any], graph: Any) -> Path:
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs = 3, codes, [graph]
    model.buffers = [schema.BufferT()]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path

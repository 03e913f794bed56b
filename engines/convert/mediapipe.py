"""MediaPipe's own operator in TF Lite files, written as those that every runtime and tf2onnx has.

``Convolution2DTransposeBias`` takes an image, a kernel and a bias, and becomes ``TRANSPOSE_CONV``
and ``ADD``; its options are three integers: padding (1 same, 2 valid), steps across and down.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from engines.convert import ConvertError, library

NAME = b"Convolution2DTransposeBias"
_ADD, _TRANSPOSE_CONV, _INT32 = 0, 67, 2  # of TF Lite's schema


def rewritten(path: Path) -> bytes | None:
    """The file without that operator; None where it has none.

    Raises:
        ConvertError: its options are of another form.
    """
    data = path.read_bytes()
    if NAME not in data:
        return None
    schema = library("ai_edge_litert.schema_py_generated", "litert")
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    own = {i for i, code in enumerate(model.operatorCodes) if code.customCode == NAME}
    for transpose in own:
        code = model.operatorCodes[transpose]
        code.customCode = None
        code.builtinCode = code.deprecatedBuiltinCode = _TRANSPOSE_CONV
    add = _code(schema, model, _ADD)
    for graph in model.subgraphs:
        operators = []
        for operator in graph.operators:
            if operator.opcodeIndex in own:
                operators += _as_two(schema, model, graph, operator, add)
            else:
                operators.append(operator)
        graph.operators = operators
    flatbuffers = library("flatbuffers", "litert")
    builder = flatbuffers.Builder(len(data) + 4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _code(schema: Any, model: Any, builtin: int) -> int:
    """The index of an operator in the model's table, added where it has none."""
    for index, code in enumerate(model.operatorCodes):
        if max(code.builtinCode, code.deprecatedBuiltinCode) == builtin:
            return index
    model.operatorCodes.append(
        schema.OperatorCodeT(deprecatedBuiltinCode=builtin, builtinCode=builtin)
    )
    return len(model.operatorCodes) - 1


def _as_two(schema: Any, model: Any, graph: Any, operator: Any, add: int) -> Any:
    options = bytes(bytearray(operator.customOptions))
    if len(options) < 12 or len(operator.inputs) != 3:
        raise ConvertError(f"{NAME.decode()}: expected 3 inputs and 12 bytes of options")
    padding, across, down = struct.unpack("<3i", options[:12])
    image, kernel, bias = operator.inputs
    (output,) = operator.outputs
    made = graph.tensors[output]
    sides = schema.TensorT(shape=[4], type=_INT32, name=made.name + b".shape")
    model.buffers.append(schema.BufferT(data=list(struct.pack("<4i", *made.shape))))
    sides.buffer = len(model.buffers) - 1
    inner = schema.TensorT(shape=list(made.shape), type=made.type, name=made.name + b".unbiased")
    graph.tensors += [sides, inner]
    count = len(graph.tensors)
    moved = schema.TransposeConvOptionsT(padding=padding - 1, strideW=across, strideH=down)
    return [
        schema.OperatorT(
            opcodeIndex=operator.opcodeIndex,
            inputs=[count - 2, kernel, image],
            outputs=[count - 1],
            builtinOptionsType=schema.BuiltinOptions.TransposeConvOptions,
            builtinOptions=moved,
        ),
        schema.OperatorT(
            opcodeIndex=add,
            inputs=[count - 1, bias],
            outputs=[output],
            builtinOptionsType=schema.BuiltinOptions.AddOptions,
            builtinOptions=schema.AddOptionsT(),
        ),
    ]

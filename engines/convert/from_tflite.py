"""TF Lite files, converted; run as they are they need no conversion (``runtime: litert``)."""

from __future__ import annotations

import logging
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.builder.onnx_file import load_onnx
from engines.convert import ConvertError, first_lines, library
from engines.convert.asked import Asked
from engines.convert.from_tensorflow import OPSET, tensorflow
from engines.convert.mediapipe import rewritten
from engines.convert.network import EXACT, folder_of, rename
from engines.runtimes import Tensors
from engines.runtimes.litert import open_session

_QUANTISED = 0.05  # of the magnitude: where rounding falls otherwise, whole levels differ


class TfliteNetwork:
    """A ``.tflite`` file; names and types are those of the runtime ``litert``.

    Attributes:
        path: the file, or a copy without MediaPipe's own operator, which few runtimes have.
    """

    framework = "TF Lite"
    how = "tf2onnx"

    def __init__(self, asked: Asked) -> None:
        self.path = Path(asked.source)
        if (data := rewritten(self.path)) is not None:
            self.path = folder_of(self) / "rewritten.tflite"
            self.path.write_bytes(data)
        self._session = open_session(self.path, 1)
        self.library = f"litert {version('ai-edge-litert')}"
        interpreter = library("ai_edge_litert.interpreter", "litert").Interpreter(str(self.path))
        self._inputs = interpreter.get_input_details()
        self._outputs = interpreter.get_output_details()
        kinds = {np.dtype(each["dtype"]) for each in interpreter.get_tensor_details()}
        self.is_quantised = bool({np.dtype(np.int8), np.dtype(np.uint8)} & kinds)
        self.tolerance = _QUANTISED if self.is_quantised else EXACT

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        """Every output by name, computed by LiteRT."""
        return self._session.run(feeds)

    def write(self, path: Path) -> None:
        """Writes the ONNX file by tf2onnx, quantised outputs as numbers.

        Raises:
            ConvertError: tf2onnx cannot; its words.
        """
        tensorflow()
        convert = library("tf2onnx.convert", "convert")
        logging.getLogger("tf2onnx").setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                model, _ = convert.from_tflite(str(self.path), opset=OPSET)
            except Exception as error:  # tf2onnx raises of all kinds
                raise ConvertError(
                    f"{self.path.name}: tf2onnx cannot convert it: {first_lines(error)}"
                ) from error
        rename(model, list(self._session.inputs), list(self._session.outputs))
        _as_numbers(model, self._inputs, self._outputs)
        load_onnx().save(model, str(path))


def _as_numbers(model: Any, inputs: list[Any], outputs: list[Any]) -> None:
    """Quantised ends as float32, as the runtime ``litert`` has them.

    An input of uint8 stays: it is fed pixels.
    """
    onnx = load_onnx()
    real = onnx.TensorProto.FLOAT
    graph = model.graph
    for end, detail in zip(graph.output, outputs, strict=True):
        if detail["quantization"][0] and end.type.tensor_type.elem_type != real:
            inner = _moved(graph, end.name)
            names = _constants(graph, end.name, detail)
            graph.node.append(
                onnx.helper.make_node("DequantizeLinear", [inner, *names], [end.name])
            )
            end.type.tensor_type.elem_type = real
    for end, detail in zip(graph.input, inputs, strict=True):
        kind = np.dtype(detail["dtype"])
        if detail["quantization"][0] and kind.kind in "iu" and kind != np.uint8:
            inner = _moved(graph, end.name)
            names = _constants(graph, end.name, detail)
            node = onnx.helper.make_node("QuantizeLinear", [end.name, *names], [inner])
            graph.node.insert(0, node)
            end.type.tensor_type.elem_type = real


def _moved(graph: Any, name: str) -> str:
    """Gives a tensor another name inside the graph."""
    inner = f"{name}.quantised"
    for node in graph.node:
        node.input[:] = [inner if each == name else each for each in node.input]
        node.output[:] = [inner if each == name else each for each in node.output]
    return inner


def _constants(graph: Any, name: str, detail: Any) -> list[str]:
    """Initializers of a tensor's scale and zero point."""
    onnx = load_onnx()
    scale, zero = detail["quantization"]
    values = {
        f"{name}.scale": np.array(scale, np.float32),
        f"{name}.zero": np.array(zero, detail["dtype"]),
    }
    graph.initializer.extend(onnx.numpy_helper.from_array(v, n) for n, v in values.items())
    return list(values)

"""Fp8 (E4M3), made in the graph: quantize-dequantize pairs around layers of a float16 network.

Eight bits with an exponent: what is small keeps its precision, where int8 rounds it away. GPUs have
it from Ada on, TensorRT for convolutions and matrix products with float16 around them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.builder.builders import BuildError
from engines.builder.graphs import Feeds, clone, drop_unread_constants, with_names
from engines.builder.onnx_file import load_onnx
from engines.builder.quantise import sensitive

OPERATORS = ("Conv", "MatMul", "Gemm")
OPSET = 19  # the first whose pairs take it
LARGEST = 448.0  # of E4M3
# Of a scale, which may be float16 and must be no subnormal one. Fp8 has an exponent of its own, so
# that smaller values lose nothing by it.
_LEAST_SCALE = 2.0**-14
_CHANNELS = 16  # a convolution's least, in and out: TensorRT has no kernels for fewer
_KERNEL = 32  # and its most values of a kernel's window


@dataclass(frozen=True, slots=True)
class _Layer:
    """A node that is to compute in fp8.

    Attributes:
        node: it.
        weight: its second input, a constant.
        axis: of the weight's output channels.
    """

    node: Any
    weight: NDArray[np.float32]
    axis: int


def to_fp8(model: Any, feeds: Iterable[Feeds]) -> Any:
    """The network with its convolutions and matrix products in fp8, the rest as it is.

    As with int8 the first of them, the last before each output and depthwise ones stay as they are,
    and so do those for which TensorRT has no kernels in fp8.

    Args:
        model: in opset 19 or newer, float16 inside, of fixed sizes but for the batch.
        feeds: what it is fed for the images whose values set the scales, batch 1.

    Raises:
        ImportError: onnx or onnxruntime is missing.
        BuildError: there is nothing to quantise, or it cannot be run.
    """
    model = with_names(model)
    layers = _layers(model)
    if not layers:
        raise BuildError(
            f"fp8: the network has none of {', '.join(OPERATORS)} with a constant weight and "
            f"{_CHANNELS} channels or more, nothing to gain"
        )
    largest = _largest(model, {str(layer.node.input[0]) for layer in layers}, feeds)
    _Pairs(model, largest).put(layers)
    return model


def _layers(model: Any) -> list[_Layer]:
    to_array = load_onnx().numpy_helper.to_array
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    kept = set(sensitive(model)) if _has_layers(model) else set()
    found = []
    for node in model.graph.node:
        if node.op_type not in OPERATORS or node.name in kept or node.input[1] not in constants:
            continue
        weight = to_array(constants[node.input[1]]).astype(np.float32)
        if node.op_type == "Conv":
            if min(weight.shape[:2]) < _CHANNELS or np.prod(weight.shape[2:]) > _KERNEL:
                continue
            axis = 0
        elif node.op_type == "Gemm":
            axis = 0 if any(a.name == "transB" and a.i for a in node.attribute) else 1
        else:
            axis = weight.ndim - 1
        if weight.ndim >= 2:
            found.append(_Layer(node, weight, axis))
    return found


def _has_layers(model: Any) -> bool:
    return any(node.op_type in (*OPERATORS, "ConvTranspose") for node in model.graph.node)


def _largest(model: Any, names: set[str], feeds: Iterable[Feeds]) -> dict[str, float]:
    """Return the largest magnitude that each tensor had."""
    import onnxruntime

    onnx = load_onnx()
    shown = clone(model)
    there = {output.name for output in shown.graph.output}
    inner = sorted(names - there)
    shown.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in inner)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what fails is raised
    options.intra_op_num_threads = 1
    # Fused nodes have no tensors between them to look at.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    most = dict.fromkeys(names, 0.0)
    try:
        session = onnxruntime.InferenceSession(
            shown.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        for each in feeds:
            asked = sorted(names)
            for name, value in zip(asked, session.run(asked, dict(each)), strict=True):
                most[name] = max(most[name], float(np.abs(value.astype(np.float32)).max(initial=0)))
    except Exception as error:  # ONNX Runtime's own are of no public class
        said = " ".join(str(error).split())
        raise BuildError(
            f"fp8: the network cannot be run to set its scales: {said:.400}"
        ) from error
    if not all(np.isfinite(value) for value in most.values()):
        raise BuildError("fp8: values inside the network are not finite on these images")
    return most


class _Pairs:
    """Puts pairs into a graph, one for each tensor however many layers read it."""

    def __init__(self, model: Any, largest: dict[str, float]) -> None:
        onnx = load_onnx()
        self._graph, self._largest = model.graph, largest
        inferred = onnx.shape_inference.infer_shapes(model).graph
        self._kinds = {
            each.name: each.type.tensor_type.elem_type
            for each in (*inferred.input, *inferred.value_info, *inferred.output)
        }
        self._kinds |= {each.name: each.data_type for each in model.graph.initializer}
        self._made: dict[str, str] = {}
        self._before: dict[str, list[Any]] = {}  # by name of the node that they stand before

    def put(self, layers: list[_Layer]) -> None:
        """Let the layers read what went through a pair."""
        for layer in layers:
            node = layer.node
            self._before[node.name] = []
            taken, weight = str(node.input[0]), str(node.input[1])
            node.input[0] = self._made.get(taken) or self._activation(taken, node.name)
            key = f"{weight}.{layer.axis}"
            node.input[1] = self._made.get(key) or self._weight(weight, key, layer)
        nodes = []
        for node in self._graph.node:
            nodes += [*self._before.get(node.name, ()), node]
        del self._graph.node[:]
        self._graph.node.extend(nodes)
        drop_unread_constants(self._graph)

    def _activation(self, name: str, before: str) -> str:
        make_node = load_onnx().helper.make_node
        scale = np.float32(max(self._largest[name] / LARGEST, _LEAST_SCALE))
        inputs = self._constants(name, np.array(scale), self._kinds[name])
        small, back = f"{name}.fp8", f"{name}.fp8.back"
        self._before[before] += [
            make_node("QuantizeLinear", [name, *inputs], [small], small),
            make_node("DequantizeLinear", [small, *inputs], [back], back),
        ]
        self._made[name] = back
        return back

    def _weight(self, name: str, key: str, layer: _Layer) -> str:
        onnx = load_onnx()
        kind = self._kinds[name]
        others = tuple(axis for axis in range(layer.weight.ndim) if axis != layer.axis)
        scale = np.maximum(np.abs(layer.weight).max(axis=others) / LARGEST, _LEAST_SCALE)
        scale = scale.astype(onnx.helper.tensor_dtype_to_np_dtype(kind)).astype(np.float32)
        small, back = f"{key}.fp8", f"{key}.fp8.back"
        values = np.clip(layer.weight / np.expand_dims(scale, others), -LARGEST, LARGEST)
        self._graph.initializer.append(_tensor(small, values))
        inputs = self._constants(key, scale, kind)
        self._before[layer.node.name].append(
            onnx.helper.make_node(
                "DequantizeLinear", [small, *inputs], [back], back, axis=layer.axis
            )
        )
        self._made[key] = back
        return back

    def _constants(self, name: str, scale: NDArray[Any], kind: int) -> list[str]:
        """Add a scale and the zero point that says fp8; return their names."""
        onnx = load_onnx()
        typed = scale.astype(onnx.helper.tensor_dtype_to_np_dtype(kind))
        names = [f"{name}.fp8.scale", f"{name}.fp8.zero"]
        self._graph.initializer.append(onnx.numpy_helper.from_array(typed, names[0]))
        self._graph.initializer.append(_tensor(names[1], np.zeros(scale.shape)))
        return names


def _tensor(name: str, values: NDArray[Any]) -> Any:
    """Return values as a tensor of E4M3."""
    onnx = load_onnx()
    kind = onnx.TensorProto.FLOAT8E4M3FN
    typed = np.asarray(values, np.float32).astype(onnx.helper.tensor_dtype_to_np_dtype(kind))
    return onnx.helper.make_tensor(name, kind, values.shape, typed.tobytes(), raw=True)

"""Floating-point operations of a network, counted in its ONNX graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

from engines.inspect.graph import Graph
from engines.inspect.values import Arrays, values

Shape = tuple[int, ...]


def count_flops(graph: Graph, feeds: Arrays) -> int:
    """Operations of one call: a multiplication and an addition are two.

    Convolutions (``Conv``, ``ConvTranspose``) and matrix products (``MatMul``, ``Gemm``) are
    counted, which is what a matrix peak can be compared with; activations, norms, resizing, biases
    and what stands inside ``If`` and ``Loop`` are not. Shapes are those of a run on ``feeds``, so
    that dynamic ones are known too.
    """
    nodes = [node for node in graph.nodes if node.op_type in _COUNTED]
    names = [name for node in nodes for name in (*node.input[:2], node.output[0])]
    shapes = _shapes(graph, feeds, list(dict.fromkeys(names)))
    return sum(_COUNTED[node.op_type](node, shapes) for node in nodes)


def _shapes(graph: Graph, feeds: Arrays, names: list[str]) -> Mapping[str, Shape]:
    return {name: array.shape for name, array in values(graph, "onnxruntime", feeds, names)}


def _conv(node: Any, shapes: Mapping[str, Shape]) -> int:
    """Each value of the output is a sum over the kernel (in / groups, height, width)."""
    return 2 * prod(shapes[node.output[0]]) * prod(shapes[node.input[1]][1:])


def _conv_transpose(node: Any, shapes: Mapping[str, Shape]) -> int:
    """Each value of the input is spread by its kernel (out / groups, height, width)."""
    return 2 * prod(shapes[node.input[0]]) * prod(shapes[node.input[1]][1:])


def _matmul(node: Any, shapes: Mapping[str, Shape]) -> int:
    """Each value of the output is a sum along the first's last axis."""
    return 2 * prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]


def _gemm(node: Any, shapes: Mapping[str, Shape]) -> int:
    transposed = any(each.name == "transA" and each.i for each in node.attribute)
    return 2 * prod(shapes[node.output[0]]) * shapes[node.input[0]][0 if transposed else 1]


_COUNTED: Mapping[str, Callable[[Any, Mapping[str, Shape]], int]] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
    "MatMul": _matmul,
}

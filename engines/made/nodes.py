"""The rules by which a cut passes a node: what it needs of its inputs, and what of it changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from engines.made import axes, proto
from engines.made.axes import Cut, Cuts, Needs, Rule, axis_of, nothing, refuse
from engines.made.graph import Graph


def _elementwise(graph: Graph, node: Any, outputs: Sequence[Cut | None]) -> Needs:
    """An input that is repeated along the axis is needed whole, such as a factor for all."""
    cut = outputs[0]
    assert cut is not None
    rank = len(graph.shapes[node.output[0]])
    needs: Needs = []
    for name in node.input:
        shape = graph.shapes.get(name, ())
        axis = cut.axis - (rank - len(shape))
        needs.append(Cut(axis, cut.kept) if axis >= 0 and shape[axis] > 1 else None)
    return needs


def _edit_elementwise(graph: Graph, node: Any, cuts: Cuts) -> None:
    cut = cuts.get(node.output[0])
    if cut is None:
        return
    for place, needed in enumerate(_elementwise(graph, node, [cut])):
        if needed and (value := graph.constant(node, place)) is not None:
            graph.set_constant(node, place, value.take(needed.kept, needed.axis))


def _softmax(graph: Graph, node: Any, outputs: Sequence[Cut | None]) -> Needs:
    cut = outputs[0]
    assert cut is not None
    if graph.opset < 13 or axis_of(node, len(graph.shapes[node.output[0]]), -1) == cut.axis:
        raise refuse(node, "it needs the scores of all classes")
    return [cut]


def _conv(graph: Graph, node: Any, outputs: Sequence[Cut | None]) -> Needs:
    """Its weights make each channel by itself; those of one with a group for each pass the cut."""
    cut = outputs[0]
    assert cut is not None
    weights = graph.constant(node, 1)
    if cut.axis != 1 or weights is None:
        raise refuse(node, "its weights are no constants, or it is cut along another axis")
    rest: Needs = [None] * (len(node.input) - 1)
    group = proto.attribute(node, "group", 1)
    if group == 1:
        return [None, *rest]
    if node.op_type == "Conv" and group == len(weights) == graph.shapes[node.input[0]][1]:
        return [cut, *rest]
    raise refuse(node, "it has groups of channels")


def _edit_conv(graph: Graph, node: Any, cuts: Cuts) -> None:
    cut = cuts.get(node.output[0])
    if cut is None:
        return
    grouped = proto.attribute(node, "group", 1) > 1
    axis = 1 if node.op_type == "ConvTranspose" else 0
    for place, along in ((1, axis), (2, 0)):
        if (value := graph.constant(node, place)) is not None:
            graph.set_constant(node, place, value.take(cut.kept, along))
    if grouped:
        proto.set_attribute(node, "group", len(cut.kept))


def _product(graph: Graph, node: Any, outputs: Sequence[Cut | None]) -> Needs:
    cut = outputs[0]
    assert cut is not None
    rank = len(graph.shapes[node.output[0]])
    if cut.axis != rank - 1 or graph.constant(node, 1) is None:
        raise refuse(node, "its weights are no constants, or it is cut along another axis")
    if len(node.input) > 2 and node.input[2] and graph.constant(node, 2) is None:
        raise refuse(node, "its bias is no constant")
    return [None] * len(node.input)


def _edit_product(graph: Graph, node: Any, cuts: Cuts) -> None:
    cut = cuts.get(node.output[0])
    if cut is None:
        return
    weights = graph.constant(node, 1)
    assert weights is not None
    axis = 0 if node.op_type == "Gemm" and proto.attribute(node, "transB", 0) else -1
    graph.set_constant(node, 1, weights.take(cut.kept, axis))
    bias = graph.constant(node, 2)
    if bias is not None and bias.ndim and bias.shape[-1] > 1:
        graph.set_constant(node, 2, bias.take(cut.kept, -1))


def _per_channel(graph: Graph, node: Any, outputs: Sequence[Cut | None]) -> Needs:
    cut = outputs[0]
    assert cut is not None
    if cut.axis != 1 or any(graph.constant(node, place) is None for place in range(1, 5)):
        raise refuse(node, "it is cut along another axis than its own")
    return [cut, *[None] * (len(node.input) - 1)]


def _edit_per_channel(graph: Graph, node: Any, cuts: Cuts) -> None:
    if (cut := cuts.get(node.output[0])) is None:
        return
    for place in range(1, 5):
        value: NDArray[Any] | None = graph.constant(node, place)
        assert value is not None
        graph.set_constant(node, place, value.take(cut.kept, 0))


def _spatial(graph: Graph, node: Any, outputs: Sequence[Cut | None]) -> Needs:
    cut = outputs[0]
    assert cut is not None
    if cut.axis != 1 or (node.op_type == "Resize" and len(node.input) > 3 and node.input[3]):
        raise refuse(node, "it is cut along another axis than that of channels, or to a size")
    return [cut, *[None] * (len(node.input) - 1)]


_UNARY = (
    "Abs", "Cast", "Ceil", "Clip", "Elu", "Erf", "Exp", "Floor", "HardSigmoid", "HardSwish",
    "Identity", "LeakyRelu", "Log", "Mish", "Neg", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid",
    "Softplus", "Sqrt", "Tanh",
)  # fmt: skip
_BINARY = ("Add", "Div", "Max", "Min", "Mul", "PRelu", "Pow", "Sub", "Where")
_SPATIAL = ("AveragePool", "GlobalAveragePool", "GlobalMaxPool", "MaxPool", "Resize", "Upsample")

RULES: Mapping[str, Rule] = {
    **axes.RULES,
    **dict.fromkeys([*_UNARY, *_BINARY], Rule(_elementwise, _edit_elementwise)),
    **dict.fromkeys(_SPATIAL, Rule(_spatial, nothing)),
    **dict.fromkeys(["Conv", "ConvTranspose"], Rule(_conv, _edit_conv)),
    **dict.fromkeys(["Gemm", "MatMul"], Rule(_product, _edit_product)),
    **dict.fromkeys(["LogSoftmax", "Softmax"], Rule(_softmax, nothing)),
    "BatchNormalization": Rule(_per_channel, _edit_per_channel),
}

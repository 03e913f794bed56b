"""What ONNX files have that is no fault of the network, put right before it is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from engines.builder.graphs import clone
from engines.builder.onnx_file import load_onnx
from engines.convert import ConvertError

_RELAYED = (
    "Cast",
    "Identity",
    "Unsqueeze",
)  # behind a NonMaxSuppression its output is still the same rows


def mended(model: Any) -> tuple[Any, tuple[str, ...]]:
    """The same network as ONNX has it, and in words what was put right; nothing where all is.

    Axes of -1, which Paddle writes for open ones, are left open. Nodes are put in order. Where a
    NonMaxSuppression gives an output, the boxes and scores that it chose from are outputs too.

    Raises:
        ConvertError: nodes wait for each other, or for a tensor that nobody makes.
    """
    copy = clone(model)
    said = []
    if _open_axes(copy.graph):
        said.append("axes of -1 left open")
    if _in_order(copy.graph):
        said.append("nodes put in order")
    if shown := _with_candidates(copy.graph):
        said.append(f"outputs {', '.join(shown)} added, from which its NonMaxSuppression chooses")
    return (copy, tuple(said)) if said else (model, ())


def _open_axes(graph: Any) -> bool:
    """Clears lengths that are none: below 0, and of inputs 0."""
    found = False
    weights = {tensor.name for tensor in graph.initializer}
    least = {each.name: 1 for each in graph.input if each.name not in weights}
    for each in (*graph.input, *graph.output, *graph.value_info):
        for dim in each.type.tensor_type.shape.dim:
            if dim.HasField("dim_value") and dim.dim_value < least.get(each.name, 0):
                dim.Clear()
                found = True
    for inner in _graphs_in(graph.node):
        found |= _open_axes(inner)
    return found


def _in_order(graph: Any) -> bool:
    """Puts each node behind those that it needs; others keep their order."""
    made = {name for node in graph.node for name in node.output if name}
    known: set[str] = set()
    waiting, sorted_ = list(graph.node), []
    while waiting:
        left = []
        for node in waiting:
            if _needs(node) & made <= known:
                sorted_.append(node)
                known.update(node.output)
            else:
                left.append(node)
        if len(left) == len(waiting):
            first = left[0]
            needed = ", ".join(sorted(_needs(first) & made - known)[:3])
            raise ConvertError(
                f"the graph is a ring: node {first.name or first.output[0]} ({first.op_type}) "
                f"needs {needed}, which needs it"
            )
        waiting = left
    changed = [node.output[:] for node in sorted_] != [node.output[:] for node in graph.node]
    if changed:
        nodes = [clone_of(node) for node in sorted_]
        del graph.node[:]
        graph.node.extend(nodes)
    inside = [_in_order(inner) for inner in _graphs_in(graph.node)]
    return changed or any(inside)


def clone_of(message: Any) -> Any:
    """A copy of a part of a model."""
    copy = type(message)()
    copy.CopyFrom(message)
    return copy


def _needs(node: Any) -> set[str]:
    """The tensors that a node reads, those inside its own graphs too."""
    needed = {name for name in node.input if name}
    for graph in _graphs_in([node]):
        own = {each.name for each in (*graph.input, *graph.initializer)}
        own |= {name for inner in graph.node for name in inner.output}
        for inner in graph.node:
            needed |= _needs(inner) - own
        needed |= {output.name for output in graph.output} - own
    return needed


def _graphs_in(nodes: Any) -> Iterator[Any]:
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield attribute.g
            yield from attribute.graphs


def _with_candidates(graph: Any) -> list[str]:
    """Adds outputs for the boxes and scores of a NonMaxSuppression that gives an output."""
    onnx = load_onnx()
    by_output = {name: node for node in graph.node for name in node.output}
    there = {output.name for output in graph.output}
    added = []
    for output in list(graph.output):
        node = by_output.get(output.name)
        while node is not None and node.op_type in _RELAYED:
            node = by_output.get(node.input[0])
        if node is None or node.op_type != "NonMaxSuppression":
            continue
        for name in node.input[:2]:
            if name not in there:
                there.add(name)
                added.append(name)
                graph.output.append(
                    onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None] * 3)
                )
    return added

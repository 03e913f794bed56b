"""The rules by which a cut passes nodes that move, join and part axes, and what a rule is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from engines.made import proto
from engines.made.graph import Graph, RefusedError


class Cut(NamedTuple):
    """The indices of a tensor that stay, along one axis, in their order afterwards."""

    axis: int
    kept: tuple[int, ...]


Cuts = Mapping[str, Cut]
Needs = list[Cut | None]


class Rule(NamedTuple):
    """One type of node.

    Attributes:
        needs: returns what a node needs of each input for parts of its outputs (None: all).
        edit: changes it, given the parts of all tensors that stay.
    """

    needs: Callable[[Graph, Any, Sequence[Cut | None]], Needs]
    edit: Callable[[Graph, Any, Cuts], None]


def refuse(node: Any, reason: str) -> RefusedError:
    """Return the error that a cut does not pass a node."""
    return RefusedError(f"{node.op_type} {node.name or node.output[0]}: {reason}")


def nothing(graph: Graph, node: Any, cuts: Cuts) -> None:
    """Change nothing."""


def axis_of(node: Any, rank: int, default: int = 0) -> int:
    """Return a node's attribute ``axis``, counted from the first."""
    return int(proto.attribute(node, "axis", default)) % rank


def _reshape(graph: Graph, node: Any, outputs: Sequence[Cut | None]) -> Needs:
    """The part of one axis of the input whose elements, in their order, are those that stay."""
    cut = outputs[0]
    assert cut is not None
    source, target = (graph.shapes[name] for name in (node.input[0], node.output[0]))
    inner, outer = next((a, b) for a, b in groups(source, target) if cut.axis in b)
    lengths, after = [source[axis] for axis in inner], [target[axis] for axis in outer]
    every = np.arange(np.prod(after, dtype=np.int64))
    stay = every.reshape(after).take(cut.kept, cut.axis - outer.start).ravel()
    for place, axis in enumerate(inner):
        index = tuple(dict.fromkeys(np.unravel_index(stay, lengths)[place].tolist()))
        if np.array_equal(every.reshape(lengths).take(index, place).ravel(), stay):
            return [Cut(axis, index), *[None] * (len(node.input) - 1)]
    raise refuse(node, "it mixes the classes with other axes")


def groups(source: Sequence[int], target: Sequence[int]) -> list[tuple[range, range]]:
    """Return the runs of axes of both shapes that hold the same elements, as short as can be."""
    found = []
    i = j = 0
    while i < len(source) or j < len(target):
        a, b, left, right = i, j, 1, 1
        while True:
            if i < len(source) and (i == a or left < right):
                left, i = left * source[i], i + 1
            elif j < len(target) and (j == b or right < left):
                right, j = right * target[j], j + 1
            else:
                break
        found.append((range(a, i), range(b, j)))
    return found


def _edit_reshape(graph: Graph, node: Any, cuts: Cuts) -> None:
    """Of a target the length of one axis changes; -1 and 0 elsewhere stay true."""
    cut = cuts.get(node.output[0])
    if cut is None or node.op_type != "Reshape":
        return
    if (target := graph.constant(node, 1)) is not None:
        made = target.copy()
        made[cut.axis] = len(cut.kept)
        graph.set_constant(node, 1, made)
        return
    # Made of the sizes of other tensors: it is changed when it is known.
    rank, name = len(graph.shapes[node.output[0]]), f"{node.output[0]}/target"
    chosen = np.arange(rank) == cut.axis
    before = [node.input[1], f"{name}/rest"]
    rest = proto.new("NodeProto", op_type="Mul", input=before, output=[f"{name}/0"])
    graph.set_constant(rest, 1, (~chosen).astype(np.int64))
    whole = proto.new("NodeProto", op_type="Add", input=[f"{name}/0", ""], output=[name])
    graph.set_constant(whole, 1, chosen * np.int64(len(cut.kept)))
    node.input[1] = name
    graph.insert_before(node, [rest, whole])


def _transpose(graph: Graph, node: Any, outputs: Sequence[Cut | None]) -> Needs:
    cut = outputs[0]
    assert cut is not None
    order = proto.attribute(node, "perm") or [*range(len(graph.shapes[node.output[0]]))][::-1]
    return [Cut(order[cut.axis], cut.kept)]


def _split(graph: Graph, node: Any, outputs: Sequence[Cut | None]) -> Needs:
    rest: Needs = [None] * (len(node.input) - 1)
    axis = axis_of(node, len(graph.shapes[node.input[0]]))
    asked = next((cut for cut in outputs if cut), None)
    if asked is None:
        return [None, *rest]
    if asked.axis != axis:
        if set(outputs) != {asked}:
            raise refuse(node, "its parts would differ along another axis")
        return [asked, *rest]
    index: list[int] = []
    at = 0
    for name, cut in zip(node.output, outputs, strict=True):
        length = graph.shapes[name][axis]
        index += [at + number for number in (cut.kept if cut else range(length))]
        at += length
    return [Cut(axis, tuple(index)), *rest]


def _edit_split(graph: Graph, node: Any, cuts: Cuts) -> None:
    axis = axis_of(node, len(graph.shapes[node.input[0]]))
    cut = cuts.get(node.input[0])
    if cut is None or cut.axis != axis:
        return
    outputs = [cuts.get(name) for name in node.output]
    needed = _split(graph, node, outputs)[0]
    if needed != cut:
        raise refuse(node, "it gives parts that others cut otherwise")
    sizes = [
        len(part.kept) if part else graph.shapes[name][axis]
        for name, part in zip(node.output, outputs, strict=True)
    ]
    if graph.opset < 13:
        proto.set_attribute(node, "split", sizes)
        return
    if len(node.input) < 2:
        node.input.append("")
    graph.set_constant(node, 1, np.array(sizes, np.int64))
    kept = [each for each in node.attribute if each.name != "num_outputs"]
    del node.attribute[:]
    node.attribute.extend(kept)


def _slice(graph: Graph, node: Any, outputs: Sequence[Cut | None]) -> Needs:
    rest: Needs = [None] * (len(node.input) - 1)
    asked = outputs[0]
    assert asked is not None
    bounds = _bounds(graph, node)
    along = bounds.get(asked.axis, range(graph.shapes[node.input[0]][asked.axis]))
    return [Cut(asked.axis, tuple(along[number] for number in asked.kept)), *rest]


def reads(graph: Graph, node: Any) -> Cut | None:
    """Return the part that a slice takes along one axis, if nothing of it is cut; else None."""
    if node.op_type != "Slice":
        return None
    try:
        bounds = _bounds(graph, node)
    except RefusedError:
        return None
    if len(bounds) != 1:
        return None
    ((axis, along),) = bounds.items()
    return Cut(axis, tuple(along))


def _bounds(graph: Graph, node: Any) -> dict[int, range]:
    """Return the indices that a slice takes, by axis; those of whole axes are left out."""
    if graph.opset < 10 or len(node.input) < 3:
        raise refuse(node, "it is of an old kind")
    given = [graph.constant(node, place) for place in range(1, len(node.input))]
    if any(value is None for value, name in zip(given, node.input[1:], strict=True) if name):
        raise refuse(node, "its bounds are no constants")
    shape = graph.shapes[node.input[0]]
    starts, ends, axes, steps = (
        None if value is None else value.tolist() for value in [*given, None, None][:4]
    )
    assert starts is not None
    assert ends is not None
    axes = [*range(len(starts))] if axes is None else [axis % len(shape) for axis in axes]
    steps = [1] * len(starts) if steps is None else steps
    found = {}
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        along = range(shape[axis])[slice(start, end, step)]
        if len(along) < shape[axis] or step != 1:
            found[axis] = along
    return found


def _edit_slice(graph: Graph, node: Any, cuts: Cuts) -> None:
    cut = cuts.get(node.input[0])
    if cut is None or cut.axis not in (bounds := _bounds(graph, node)):
        return
    asked = cuts.get(node.output[0])
    needed = _slice(graph, node, [asked])[0] if asked else reads(graph, node)
    if needed is None:
        raise refuse(node, "it takes parts along several axes")
    first = cut.kept.index(needed.kept[0])
    if cut.kept[first : first + len(needed.kept)] != needed.kept:
        raise refuse(node, "what it takes is no longer together")
    bounds[cut.axis] = range(first, first + len(needed.kept))
    axes = sorted(bounds)
    rows = [
        [bounds[axis].start for axis in axes],
        [bounds[axis].stop for axis in axes],
        axes,
        [bounds[axis].step for axis in axes],
    ]
    del node.input[1:]
    for place, row in enumerate(rows, 1):
        node.input.append("")
        graph.set_constant(node, place, np.array(row, np.int64))


def _concat(graph: Graph, node: Any, outputs: Sequence[Cut | None]) -> Needs:
    cut = outputs[0]
    assert cut is not None
    axis = axis_of(node, len(graph.shapes[node.output[0]]))
    if axis != cut.axis:
        return [cut] * len(node.input)
    needs: Needs = []
    taken: list[int] = []
    at = 0
    for name in node.input:
        length = graph.shapes[name][axis]
        part = tuple(number - at for number in cut.kept if at <= number < at + length)
        taken += [number + at for number in part]
        needs.append(None if part == tuple(range(length)) else Cut(axis, part))
        at += length
    if tuple(taken) != cut.kept:
        raise refuse(node, "the classes would come in another order")
    return needs


def _edit_concat(graph: Graph, node: Any, cuts: Cuts) -> None:
    cut = cuts.get(node.output[0])
    if cut is None:
        return
    kept = []
    for place, needed in enumerate(_concat(graph, node, [cut])):
        value = graph.constant(node, place)
        if needed and value is not None:
            graph.set_constant(node, place, value.take(needed.kept, needed.axis))
        if needed is None or needed.kept:
            kept.append(node.input[place])
    del node.input[:]
    node.input.extend(kept)


RULES: Mapping[str, Rule] = {
    **dict.fromkeys(["Flatten", "Reshape", "Squeeze", "Unsqueeze"], Rule(_reshape, _edit_reshape)),
    "Concat": Rule(_concat, _edit_concat),
    "Slice": Rule(_slice, _edit_slice),
    "Split": Rule(_split, _edit_split),
    "Transpose": Rule(_transpose, nothing),
}

"""Make the height and width of a network's input free, where an export has fixed them.

Convolutions take any size; what an export fixes are the constants that Reshape and Resize are
given. They are replaced by what follows from the size: 0 for an axis as it is, -1 for the rest,
else the sizes themselves (Shape); a scale for a size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engines.made import proto
from engines.made.axes import groups
from engines.made.graph import (
    Graph,
    RefusedError,
    forget_shapes,
    open_model,
    type_of,
    with_all_outputs,
)
from engines.made.proto import Shape, input_of


def free_sizes(graph: Graph, name: str, axes: Sequence[int]) -> None:
    """Let these axes of an input be of any length.

    Raises:
        RefusedError: the graph does not allow it, naming the node that is in the way. It may be
            changed in part.
    """
    dims = input_of(graph.model, name).type.tensor_type.shape.dim
    for axis, word in zip(axes, ("height", "width"), strict=True):
        dims[axis].Clear()
        dims[axis].dim_param = word
    forget_shapes(graph.model)
    mended: dict[str, Any] = {}
    freed: dict[str, Shape] = {}  # what each was mended for: upstream more may be found free later
    for _ in range(1 + len(graph.nodes)):
        inferred = _inferred(graph.model, mended)
        found = False
        for node in graph.nodes:
            place = {"Reshape": 1, "Resize": 3}.get(node.op_type)
            if place is None:
                continue
            name, free = node.output[0], inferred.get(node.input[0], ())
            if None not in free or freed.get(name) == free:
                continue
            if name in freed or graph.constant(node, place) is not None:
                mended[name] = _mend(graph, node, free)
                freed[name], found = free, True
        if not found:
            return
        graph.tidy()
    raise RefusedError("its shapes depend on one another")


def _inferred(model: Any, mended: Mapping[str, Any]) -> dict[str, Shape]:
    """Return the shape of each tensor as ONNX Runtime infers it, None where an axis is free.

    Args:
        model: the ``ModelProto``.
        mended: ``TypeProto`` of what nodes make whose shape ONNX Runtime does not follow.
    """
    session = open_model(with_all_outputs(model, mended), optimised=False)
    return {
        each.name: tuple(axis if isinstance(axis, int) else None for axis in each.shape)
        for each in (*session.get_inputs(), *session.get_outputs())
    }


def _mend(graph: Graph, node: Any, free: Shape) -> Any:
    """Free a constant of the node from the size; return the type of what it makes.

    Args:
        graph: with the shapes of one size.
        node: a Reshape or Resize.
        free: the shape of what it reads, None where an axis is free.
    """
    source, target = graph.shapes[node.input[0]], graph.shapes[node.output[0]]
    if node.op_type == "Resize":
        scales = np.array(target, np.float32) / np.array(source, np.float32)
        del node.input[3:]
        graph.set_constant(node, 2, scales)
        made = tuple(b if a is not None else None for a, b in zip(free, target, strict=True))
    else:
        made = _mend_reshape(graph, node, source, target, [length is None for length in free])
    return type_of(graph.dtypes[node.output[0]], made)


def _mend_reshape(
    graph: Graph, node: Any, source: Sequence[int], target: Sequence[int], free: Sequence[bool]
) -> Shape:
    lengths = [_length(node, axis, source, target, free) for axis in range(len(target))]
    rest = [
        axis for axis, made in enumerate(lengths) if not isinstance(made, int) and made != (axis,)
    ]
    if len(rest) <= 1 and not proto.attribute(node, "allowzero", 0):
        plain = [
            made if isinstance(made, int) else -1 if axis in rest else 0
            for axis, made in enumerate(lengths)
        ]
        graph.set_constant(node, 1, np.array(plain, np.int64))
    else:
        known = [made for made in lengths if made is not None]
        if len(known) < len(lengths):
            raise _mixed(node, source, target)
        _by_shape(graph, node, known)
    return tuple(made if isinstance(made, int) else None for made in lengths)


def _length(
    node: Any, axis: int, source: Sequence[int], target: Sequence[int], free: Sequence[bool]
) -> int | tuple[int, ...] | None:
    """Return the length of an axis, or the axes of the source whose product it is; None: the rest.

    An axis that holds a free one and others of fixed length, as rows of three boxes a cell do, is
    what the others leave.
    """
    inner, outer = next((a, b) for a, b in groups(source, target) if axis in b)
    if not any(free[each] for each in inner) or (target[axis] == 1 and len(outer) > 1):
        return target[axis]
    long = [each for each in outer if target[each] != 1]
    if len(long) <= 1:
        return tuple(inner)
    fixed = int(np.prod([source[each] for each in inner if not free[each]]))
    whole = int(np.prod([target[each] for each in long]))
    able = [each for each in long if fixed % (whole // target[each]) == 0]
    if len(able) != 1:
        raise _mixed(node, source, target)
    return None if able == [axis] else target[axis]


def _mixed(node: Any, source: Sequence[int], target: Sequence[int]) -> RefusedError:
    return RefusedError(
        f"Reshape {node.name or node.output[0]} makes {list(target)} of {list(source)}, in which "
        "height and width cannot be told from the rest"
    )


def _by_shape(graph: Graph, node: Any, lengths: Sequence[int | tuple[int, ...]]) -> None:
    """Give a Reshape a target that is computed from the shape of what it reshapes."""
    name = f"{node.output[0]}/target"
    made = [proto.new("NodeProto", op_type="Shape", input=[node.input[0]], output=[f"{name}/of"])]
    parts = []
    for axis, length in enumerate(lengths):
        parts.append(f"{name}/{axis}")
        if isinstance(length, int):
            constant = proto.tensor(np.array([length], np.int64), parts[-1])
            graph.model.graph.initializer.append(constant)
            continue
        gather = proto.new(
            "NodeProto",
            op_type="Gather",
            input=[f"{name}/of", ""],
            output=[f"{name}/{axis}/of" if len(length) > 1 else parts[-1]],
        )
        graph.set_constant(gather, 1, np.array(length, np.int64))
        made.append(gather)
        if len(length) > 1:
            product = proto.new(
                "NodeProto", op_type="ReduceProd", input=[gather.output[0]], output=[parts[-1]]
            )
            made.append(product)
    concat = proto.new("NodeProto", op_type="Concat", input=parts, output=[name])
    proto.set_attribute(concat, "axis", 0)
    node.input[1] = name
    graph.insert_before(node, [*made, concat])

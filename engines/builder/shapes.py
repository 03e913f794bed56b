"""A network's graph made ready: sizes fixed, simplified, several images in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engines.builder.builders import BuildError
from engines.builder.graphs import Feeds, clone, gap, inputs_of, run, shape_of
from engines.builder.onnx_file import load_onnx
from engines.builder.simplify import TOLERANCE, simplified

BATCH = "batch"  # the name of the axis
OPSET = 17  # the least: per-channel quantisation takes 13, and what exporters write today is 17


def modern(model: Any, least: int = OPSET) -> Any:
    """The same network in an opset of 17 or newer, or of ``least``.

    Raises:
        BuildError: one of its nodes has no newer form.
    """
    onnx = load_onnx()
    import onnx.version_converter as converter

    opset = opset_of(model)
    if opset >= least:
        return model
    try:
        newer = converter.convert_version(model, least)
        onnx.checker.check_model(newer)
    except Exception as error:  # onnx raises its own and bare RuntimeErrors
        said = str(error).strip().splitlines()[0]
        raise BuildError(
            f"opset {opset}: the network cannot be brought to opset {least}: {said}; "
            f"export it again with opset {least}"
        ) from error
    return newer


def opset_of(model: Any) -> int:
    """The version of ONNX's own operators in a model."""
    return next(int(o.version) for o in model.opset_import if o.domain in ("", "ai.onnx"))


def fixed(model: Any, shapes: Mapping[str, Sequence[int | None]]) -> Any:
    """A copy whose inputs have these shapes, an axis of None left as it is; simplified.

    All that depends on the sizes alone, such as the cells of a detector's grid, becomes a constant.

    Raises:
        BuildError: the network cannot have them.
    """
    return simplified(shaped(model, shapes))


def shaped(model: Any, shapes: Mapping[str, Sequence[int | None]]) -> Any:
    """A copy whose inputs have these shapes, an axis of None left as it is."""
    copy = clone(model)
    inputs = inputs_of(copy)
    for name, shape in shapes.items():
        dims = inputs[name].type.tensor_type.shape.dim
        for dim, length in zip(dims, shape, strict=True):
            if length is not None:
                dim.dim_value = length
    # What was inferred or written for other sizes is found out again.
    del copy.graph.value_info[:]
    for each in copy.graph.output:
        each.type.tensor_type.ClearField("shape")
    return copy


def batched(model: Any, feeds: Sequence[Feeds]) -> Any:
    """A copy that takes any number of images in one call, tried out with two.

    A network that was exported for one image has that 1 in the shapes it reshapes to, and there
    it is replaced. Whether it then computes the same is found out by running it.

    Args:
        model: of fixed sizes but for the first axes.
        feeds: what it is fed for each of some images, batch 1.

    Raises:
        BuildError: it does not, and why.
    """
    copy = clone(model)
    if not all(shape_of(each)[:1] == (None,) for each in inputs_of(model).values()):
        _free_first_axis(copy)
    for each in (*inputs_of(copy).values(), *copy.graph.output):
        dims = each.type.tensor_type.shape.dim
        if not dims:
            raise BuildError(f"batch: {each.name} has no axis for several images; use --batch 1")
        dims[0].dim_param = BATCH
    del copy.graph.value_info[:]
    _check_batch(model, copy, feeds)
    return copy


def _free_first_axis(model: Any) -> None:
    """Lets the first axis of what is reshaped or resized to (1, …) be what it is before."""
    onnx = load_onnx()
    initial = {tensor.name: tensor for tensor in model.graph.initializer}
    known = shapes_of(model)
    added = []
    for node in model.graph.node:
        place = {"Reshape": 1, "Resize": 3}.get(node.op_type)
        if place is None or len(node.input) <= place or node.input[place] not in initial:
            continue
        target = onnx.numpy_helper.to_array(initial[node.input[place]])
        source = known.get(node.input[0], ())
        if not source or source[0] != 1 or not len(target) or target[0] != 1:
            continue
        if node.op_type == "Reshape" and not _attribute(node, "allowzero"):
            value = np.concatenate([[0], target[1:]]).astype(np.int64)  # 0: as it was
        elif node.op_type == "Resize" and None not in source and len(target) == len(source):
            value = np.array([scale_to(a, b) for a, b in zip(source, target, strict=True)])
            place, _ = 2, node.input.pop()
        else:
            continue
        # A name of its own, as other nodes may share the constant.
        node.input[place] = f"{node.output[0]}.{node.op_type.lower()}"
        added.append(onnx.numpy_helper.from_array(value, node.input[place]))
    model.graph.initializer.extend(added)


def _attribute(node: Any, name: str) -> int:
    return next((int(a.i) for a in node.attribute if a.name == name), 0)


def scale_to(length: int | None, wanted: int) -> np.float32:
    """The factor by which a Resize makes ``wanted`` of ``length``, in float32 and in float64."""
    assert length
    scale = np.float32(wanted / length)
    while length * float(scale) < wanted:
        scale = np.nextafter(scale, np.float32(np.inf))
    return scale


def _check_batch(alone: Any, together: Any, feeds: Sequence[Feeds]) -> None:
    first, second = feeds[0], feeds[1 % len(feeds)]
    pair = {name: np.concatenate([first[name], second[name]]) for name in first}
    try:
        found = run(together, pair)
    except Exception as error:  # ONNX Runtime's own are of no public class
        said = str(error).strip().splitlines()[0]
        raise BuildError(
            f"batch: the network takes one image per call, use --batch 1; of two: {said:.300}"
        ) from error
    expected = [run(alone, each) for each in (first, second)]
    for name, got in found.items():
        one_by_one = np.concatenate([each[name] for each in expected])
        apart = gap(one_by_one, got)
        if not apart <= TOLERANCE:
            raise BuildError(
                f"batch: the network takes one image per call, use --batch 1; of two, output {name}"
                f" differs by {apart:.2g} of its size, expected {TOLERANCE:g}"
            )


def shapes_of(model: Any) -> dict[str, tuple[int | None, ...]]:
    """The shape of each tensor as far as it is known without running."""
    graph = load_onnx().shape_inference.infer_shapes(model, data_prop=True).graph
    return {each.name: shape_of(each) for each in (*graph.input, *graph.value_info, *graph.output)}

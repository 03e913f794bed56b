"""Graphs in the steps of a build: copied, their inputs read, run, compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.builder.onnx_file import load_onnx
from engines.runtimes import TensorInfo

Feeds = Mapping[str, NDArray[Any]]


def opened(model: Any) -> Any:
    """A session of ONNX Runtime for a model in memory, on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what fails is raised
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def run(model: Any, feeds: Feeds) -> dict[str, NDArray[Any]]:
    """Every output of a model in memory, by ONNX Runtime on one thread."""
    session = opened(model)
    names = [output.name for output in model.graph.output]
    return dict(zip(names, session.run(names, dict(feeds)), strict=True))


def gap(expected: NDArray[Any], got: NDArray[Any]) -> float:
    """The largest difference as a share of the largest value; infinite where shapes differ."""
    if expected.shape != got.shape:
        return float("inf")
    a, b = expected.astype(np.float64), got.astype(np.float64)
    return float(np.abs(a - b).max(initial=0) / max(np.abs(a).max(initial=0), 1e-6))


def clone(model: Any) -> Any:
    """A copy."""
    copy = load_onnx().ModelProto()
    copy.CopyFrom(model)
    return copy


def with_names(model: Any) -> Any:
    """A copy in which each node has a name."""
    copy = clone(model)
    for index, node in enumerate(copy.graph.node):
        node.name = node.name or f"node.{index}"
    return copy


def inputs_of(model: Any) -> dict[str, Any]:
    """Return the inputs by name, without the weights that older files list among them."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return {each.name: each for each in model.graph.input if each.name not in weights}


def infos_of(model: Any) -> dict[str, TensorInfo]:
    """Return shape and type of the inputs, as a session has them."""
    kind_of = load_onnx().helper.tensor_dtype_to_np_dtype
    return {
        name: TensorInfo(shape_of(each), np.dtype(kind_of(each.type.tensor_type.elem_type)))
        for name, each in inputs_of(model).items()
    }


def with_constants(model: Any, arrays: Feeds) -> Any:
    """A copy in which these inputs are constants."""
    copy = clone(model)
    kept = [each for each in copy.graph.input if each.name not in arrays]
    del copy.graph.input[:]
    copy.graph.input.extend(kept)
    from_array = load_onnx().numpy_helper.from_array
    copy.graph.initializer.extend(from_array(array, name) for name, array in arrays.items())
    return copy


def shape_of(info: Any) -> tuple[int | None, ...]:
    """The shape of an input or output, None where an axis is dynamic; Paddle writes -1 for it."""
    return tuple(
        dim.dim_value if dim.HasField("dim_value") and dim.dim_value >= 0 else None
        for dim in info.type.tensor_type.shape.dim
    )


def bodies_of(node: Any) -> Iterator[Any]:
    """Yield the graphs inside a node: what a loop repeats, or the ways of a choice."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def names_read(graph: Any) -> set[str]:
    """Return what nodes read, also those in bodies, of the graph around or not; and outputs."""
    names = {name for node in graph.node for name in node.input}
    names |= {output.name for output in graph.output}
    return names.union(*(names_read(body) for node in graph.node for body in bodies_of(node)))


def drop_unread_constants(graph: Any) -> None:
    """Take out the constants that nothing reads, also of the inputs where those list them."""
    unread = {tensor.name for tensor in graph.initializer} - names_read(graph)
    for listed in (graph.initializer, graph.input):
        kept = [each for each in listed if each.name not in unread]
        del listed[:]
        listed.extend(kept)

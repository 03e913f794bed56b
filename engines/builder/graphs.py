"""Graphs in the steps of a build: copied, their inputs read, run, compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.builder.onnx_file import load_onnx
from engines.runtimes import TensorInfo

Feeds = Mapping[str, NDArray[Any]]


def run(model: Any, feeds: Feeds) -> dict[str, NDArray[Any]]:
    """Every output of a model in memory, by ONNX Runtime on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what fails is raised
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
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

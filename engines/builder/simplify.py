"""Graphs simplified by onnxslim, kept only where they still compute what they computed before."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.builder.builders import BuildError
from engines.builder.graphs import Feeds, clone, gap, inputs_of, run, shape_of
from engines.builder.onnx_file import load_onnx

TOLERANCE = 1e-3  # of an output's magnitude; fused and batched layers add up otherwise
_ROUNDS = 20  # padding that follows from the size is known one layer further each time
# Read sizes, or hold graphs whose nodes may: without these a further round finds nothing to fold.
_OF_SIZES = {"Shape", "Size", "If", "Loop", "Scan"}
_SIDE = 64  # of a side or size that the graph leaves open
_SORTING = ("TopK", "NonMaxSuppression", "Unique")

Say = Callable[[str], None]


def simplified(model: Any, feeds: Feeds | None = None, say: Say = lambda _words: None) -> Any:
    """The graph with constants folded and layers fused, every output with its shape.

    Whatever depends on sizes alone becomes a constant. Shapes are inferred by onnx: onnxslim's own
    inference, up to 0.1.98 at least, reverses the paddings that PyTorch computes from the size.

    Args:
        model: an ``onnx.ModelProto``; not changed.
        feeds: its inputs for one image, on which both are compared; None for noise.
        say: told why the graph stays as it was, where it does.

    Raises:
        ImportError: onnxslim is missing.
        BuildError: it cannot be read by it.
    """
    try:
        import onnxslim
    except ImportError as error:
        raise ImportError('onnxslim is missing; pip install "mirante[build]"') from error
    try:
        slim = load_onnx().ModelProto.FromString(
            _slimmed(model.SerializeToString(deterministic=True), onnxslim.slim)
        )
    except Exception as error:  # of onnxslim and onnx, which have no common ground
        said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise BuildError(f"the graph cannot be simplified: {said}") from error
    if wrong := _difference(model, slim, noise(model) if feeds is None else feeds):
        say(f"onnxslim made another network of it ({wrong}), so the graph stays as it was")
        return _inferred(clone(model))
    return slim


@lru_cache(maxsize=4)
def _slimmed(data: bytes, slim: Callable[..., Any]) -> bytes:
    """Return a model's file, simplified.

    It takes most of a build on a CPU, and who builds one engine of a graph often builds the next.
    """
    model = load_onnx().ModelProto.FromString(data)
    for _ in range(_ROUNDS):
        before = len(model.graph.node)
        model = slim(_inferred(model), no_shape_infer=True)
        left = [node.op_type for node in model.graph.node]
        if len(left) == before or _OF_SIZES.isdisjoint(left):
            break
    file: bytes = _inferred(model).SerializeToString(deterministic=True)
    return file


def noise(model: Any) -> dict[str, NDArray[Any]]:
    """Inputs of a model, the same each time; axes that it leaves open are one image of 64x64."""
    onnx = load_onnx()
    rng = np.random.default_rng(0)
    feeds = {}
    for name, each in inputs_of(model).items():
        shape = [
            length or (1 if axis == 0 else _SIDE) for axis, length in enumerate(shape_of(each))
        ]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(each.type.tensor_type.elem_type)
        if dtype.kind == "f":
            feeds[name] = rng.random(shape).astype(dtype)
        elif dtype == np.uint8:
            feeds[name] = rng.integers(0, 256, shape, dtype)
        else:
            feeds[name] = np.full(shape, _SIDE).astype(dtype)
    return feeds


def _inferred(model: Any) -> Any:
    return load_onnx().shape_inference.infer_shapes(model, data_prop=True)


def _difference(before: Any, after: Any, feeds: Feeds) -> str:
    """Say which output differs by how much; nothing where none does, or none can be computed."""
    try:
        expected = run(before, feeds)
    except Exception:  # noqa: BLE001 - a network that takes no noise is judged on real images later
        return ""
    try:
        got = run(after, feeds)
    except Exception as error:  # noqa: BLE001 - ONNX Runtime's own are of no public class
        return f"one that does not run: {str(error).strip().splitlines()[0]:.200}"
    sorts = any(node.op_type in _SORTING for node in before.graph.node)
    for name, values in expected.items():
        found = gap(np.nan_to_num(values), np.nan_to_num(got[name]))
        if found > TOLERANCE and sorts and values.shape == got[name].shape:
            # Rows change places where two scores are next to equal.
            found = gap(np.sort(values, axis=None), np.sort(got[name], axis=None))
        if not found <= TOLERANCE:
            return f"output {name} differs by {found:.2g} of its magnitude"
    return ""

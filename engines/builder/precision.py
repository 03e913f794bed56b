"""Float16, made in the graph, node by node, with casts where the precision changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.builder.builders import BuildError
from engines.builder.graphs import (
    Feeds,
    bodies_of,
    clone,
    drop_unread_constants,
    inputs_of,
    names_read,
    opened,
)
from engines.builder.onnx_file import load_onnx

# Of which a rounding moves boxes by pixels: grids, sampling places and sizes stay float32. So do
# scales of fewer bits, which float16 may round to nothing.
KEPT = (
    *("GridSample", "Range", "TopK", "ArgMax", "CumSum"),
    *("QuantizeLinear", "DequantizeLinear"),
)
# Above it values are half a unit apart and more, which is seen of what is in pixels.
LARGEST = 512.0
LARGEST_WEIGHT = float(np.finfo(np.float16).max)
_LEAST = np.finfo(np.float16).smallest_subnormal
_NEVER = -1.0


def to_float16(model: Any, feeds: Sequence[Feeds]) -> Any:
    """Return the network with float16 inside; inputs and outputs keep their types.

    Nodes that read or give values above ``LARGEST`` on ``feeds`` stay float32. So do ``KEPT``,
    nodes that choose the type of their values themselves, and what bodies of loops read.

    Args:
        model: of fixed sizes but for the batch.
        feeds: what it is fed for some images, batch 1.

    Raises:
        ImportError: onnx is missing.
        BuildError: it cannot be run, or nothing of it can be float16.
    """
    try:
        largest = _largest(model, feeds)
    except Exception as error:  # ONNX Runtime's own are of no public class
        said = " ".join(str(error).split()) or type(error).__name__
        raise BuildError(f"fp16: the network cannot be run: {said:.400}") from error
    return _Halved(model, largest).made()


def _largest(model: Any, feeds: Sequence[Feeds]) -> dict[str, float]:
    """Return the largest magnitude of each float32 value, weights too, by name."""
    onnx = load_onnx()
    shown = clone(model)
    known = {each.name for each in shown.graph.output}
    names = [name for node in shown.graph.node for name in node.output if name]
    shown.graph.output.extend(
        onnx.helper.make_empty_tensor_value_info(name) for name in names if name not in known
    )
    session = opened(shown)
    found: dict[str, float] = {}
    for feed in feeds:
        given = dict(zip(names, session.run(names, dict(feed)), strict=True))
        for name, array in {**feed, **given}.items():
            if isinstance(array, np.ndarray) and array.dtype == np.float32:
                found[name] = max(found.get(name, _NEVER), _size(array, _NEVER))
    # Of what no image had a value of, none is known to be small.
    found = {name: np.inf if size == _NEVER else size for name, size in found.items()}
    arrays = {each.name: onnx.numpy_helper.to_array(each) for each in model.graph.initializer}
    weights = {name: each for name, each in arrays.items() if each.dtype == np.float32}
    return found | {name: _size(each, 0.0) for name, each in weights.items()}


def _size(array: NDArray[np.float32], empty: float) -> float:
    """Return the largest magnitude; ``empty`` where there is no value."""
    sizes = np.nan_to_num(np.abs(array), nan=np.inf, posinf=np.inf)
    return float(sizes.max(initial=empty))


class _Halved:
    """A network whose float32 values exist as such, as float16 of another name, or as both.

    Args:
        model: the network.
        largest: magnitude of each of its float32 values.
    """

    def __init__(self, model: Any, largest: dict[str, float]) -> None:
        self._onnx, self._largest, self._model = load_onnx(), largest, clone(model)
        graph = self._model.graph
        self._model.ir_version = max(model.ir_version, 4)  # until then, weights are inputs too
        self._weights = {each.name: each for each in graph.initializer}
        self._opsets = {_domain(each.domain): each.version for each in model.opset_import}
        bodies = (body for node in graph.node for body in bodies_of(node))
        self._inner = {name for body in bodies for name in names_read(body)}
        names = {name for node in graph.node for name in (*node.input, *node.output)}
        self._ending = ".half"
        while any(f"{name}{self._ending}" in names for name in names):
            self._ending += "_"

    def made(self) -> Any:
        """Return it."""
        graph = self._model.graph
        nodes = list(graph.node)
        is_half = [self._can_be_half(node) for node in nodes]
        if not any(is_half):
            raise BuildError("fp16: no node of the network can be float16, nothing to gain")
        for node, half in zip(nodes, is_half, strict=True):
            if half:
                self._halve(node)
        read = names_read(graph)
        del graph.node[:]
        for name in inputs_of(self._model):
            graph.node.extend(self._cast(name, read, is_half=False))
        for node, half in zip(nodes, is_half, strict=True):
            graph.node.append(node)
            for name in node.output:
                graph.node.extend(self._cast(name, read, half))
        graph.initializer.extend(self._half_weights(read))
        drop_unread_constants(graph)
        del graph.value_info[:]  # of the types before
        return self._onnx.shape_inference.infer_shapes(self._model)

    def _can_be_half(self, node: Any) -> bool:
        schema = self._schema(node)
        if schema is None or node.op_type in KEPT or next(bodies_of(node), None) is not None:
            return False
        values = [name for name in (*node.input, *node.output) if name in self._largest]
        given = [(at, name) for at, name in enumerate(node.output) if name in self._largest]
        bound = {_formal(schema.inputs, at).type_str for at in range(len(node.input))}
        kinds = {_formal(schema.outputs, at).type_str for at, _ in given}
        return (
            bool(given)
            and kinds <= bound & _half_kinds(schema)
            and not self._inner.intersection(node.output)
            and all(self._largest[name] <= self._limit(name) for name in values)
        )

    def _limit(self, name: str) -> float:
        return LARGEST_WEIGHT if name in self._weights else LARGEST

    def _schema(self, node: Any) -> Any:
        domain = _domain(node.domain)
        try:
            return self._onnx.defs.get_schema(node.op_type, self._opsets.get(domain, 0), domain)
        except self._onnx.defs.SchemaError:  # another's operator
            return None

    def _halve(self, node: Any) -> None:
        """Make a node read and give float16."""
        schema = self._schema(node)
        kinds = _half_kinds(schema)
        for names, formals in ((node.input, schema.inputs), (node.output, schema.outputs)):
            for at, name in enumerate(names):
                if name in self._largest and _formal(formals, at).type_str in kinds:
                    names[at] = name + self._ending

    def _cast(self, name: str, read: set[str], is_half: bool) -> Iterator[Any]:
        """Yield the cast behind what gives a value, where some node reads the other type of it."""
        helper, kinds = self._onnx.helper, self._onnx.TensorProto
        single = name.removesuffix(self._ending) if is_half else name
        half = single + self._ending
        if single not in self._largest:
            return
        given, wanted = (half, single) if is_half else (single, half)
        if wanted in read:
            to = kinds.FLOAT if is_half else kinds.FLOAT16
            yield helper.make_node("Cast", [given], [wanted], f"{given}.cast", to=to)

    def _half_weights(self, read: set[str]) -> Iterator[Any]:
        numpy_helper = self._onnx.numpy_helper
        for name, weight in self._weights.items():
            if name in self._largest and (half := name + self._ending) in read:
                yield numpy_helper.from_array(_half(numpy_helper.to_array(weight)), half)


def _half(weight: NDArray[np.float32]) -> NDArray[np.float16]:
    """Return a weight as float16; of a single number, which may keep a divisor from 0, never 0."""
    half = weight.astype(np.float16)
    if weight.size == 1 and weight.any() and not half.any():
        half = np.copysign(_LEAST, weight).astype(np.float16)
    return half


def _domain(name: str) -> str:
    """Return the one name of ONNX's own operators, which have two; others as they are."""
    return "" if name == "ai.onnx" else name


def _formal(formals: Sequence[Any], at: int) -> Any:
    """Return the description of an input or output; the last stands for all behind it."""
    return formals[min(at, len(formals) - 1)]


def _half_kinds(schema: Any) -> set[str]:
    """Return the types of a node, as its description names them, that may be float16."""
    return {
        each.type_param_str
        for each in schema.type_constraints
        if "tensor(float16)" in each.allowed_type_strs
    }

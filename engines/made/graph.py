"""A network's graph taken apart: who makes a tensor, who reads it, its shape, its value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.made import proto
from engines.made.proto import Shape
from engines.runtimes.onnx_runtime import reason_of

Feeds = Mapping[str, NDArray[Any]]


class RefusedError(ValueError):
    """A graph does not allow a change; the message says what in it is in the way."""


class Graph:
    """The graph of a ``ModelProto``, which it may change.

    Attributes:
        model: the message.
        constants: the arrays that nodes read, by name, and that no input changes.
        shapes: of every tensor when the network runs on some feeds.
        dtypes: of every tensor that a node makes.

    Raises:
        RefusedError: it has parts that are not read here.
    """

    def __init__(self, model: Any, feeds: Feeds) -> None:
        self.model = model
        self.nodes: Any = model.graph.node
        if any(each.HasField("g") for node in self.nodes for each in node.attribute):
            raise RefusedError("it has loops or branches")
        self.constants = _constants(model)
        every = run_all(model, feeds)
        self._fold(every)
        arrays = ((name, each) for name, each in every.items() if isinstance(each, np.ndarray))
        self.shapes = {name: each.shape for name, each in arrays}
        self.dtypes = {
            name: each.dtype for name, each in every.items() if isinstance(each, np.ndarray)
        }
        self.shapes |= {name: value.shape for name, value in self.constants.items()}
        self.shapes |= {name: value.shape for name, value in feeds.items()}
        self._before: dict[str, list[Any]] = {}

    def _fold(self, values: Mapping[str, Any]) -> None:
        """Take what is computed of constants alone, such as weights that are stored as float16."""
        known = {*self.constants, *(each.name for each in self.model.graph.initializer)}
        for node in self.nodes:
            if node.input and known.issuperset(name for name in node.input if name):
                known.update(node.output)
                self.constants |= {name: values[name] for name in node.output if name in values}

    @property
    def opset(self) -> int:
        """The version of ONNX's own operators."""
        return opset_of(self.model)

    def constant(self, node: Any, place: int) -> NDArray[Any] | None:
        """Return the constant that a node has as an input; None where it has none there."""
        return self.constants.get(node.input[place]) if len(node.input) > place else None

    def set_constant(self, node: Any, place: int, value: NDArray[Any]) -> None:
        """Give a node a constant of its own as an input."""
        name = f"{node.output[0]}/{place}"
        while name in self.constants:  # of an earlier change
            name += "'"
        self.model.graph.initializer.append(proto.tensor(value, name))
        self.constants[name] = value
        node.input[place] = name

    def insert_before(self, node: Any, nodes: Sequence[Any]) -> None:
        """Put nodes before another one, by ``tidy``."""
        self._before[node.output[0]] = [*nodes]

    def tidy(self) -> None:
        """Remove the nodes and constants that nothing reads, and what was said of shapes."""
        graph = self.model.graph
        used = {each.name for each in graph.output}
        every = [
            each for node in self.nodes for each in (*self._before.get(node.output[0], ()), node)
        ]
        self._before.clear()
        kept = []
        for node in reversed(every):
            if used & set(node.output):
                kept.append(node)
                used |= set(node.input)
        kept.reverse()
        _keep(graph.node, kept)
        _keep(graph.initializer, [each for each in graph.initializer if each.name in used])
        constants = {each.name for each in graph.initializer}
        names = [each for each in graph.input if each.name in constants or each.name in used]
        _keep(graph.input, names)
        forget_shapes(self.model)


def _keep(field: Any, kept: Sequence[Any]) -> None:
    copies = [type(each).FromString(each.SerializeToString()) for each in kept]
    del field[:]
    field.extend(copies)


def _constants(model: Any) -> dict[str, NDArray[Any]]:
    given = {each.name: each for each in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].HasField("t"):
            given[node.output[0]] = node.attribute[0].t
    found = {}
    for name, each in given.items():
        try:
            found[name] = proto.array_of(each)
        except proto.ProtoError:
            continue  # of a type that no change here needs
    return found


def opset_of(model: Any) -> int:
    """Return the version of ONNX's own operators in a model."""
    said = [int(each.version) for each in model.opset_import if each.domain in ("", "ai.onnx")]
    return said[0] if said else 1


def copy_of(model: Any) -> Any:
    """Return a copy of a model."""
    return type(model).FromString(model.SerializeToString())


def forget_shapes(model: Any) -> None:
    """Remove what a model says of the shapes of tensors inside and of its outputs."""
    del model.graph.value_info[:]
    for each in model.graph.output:
        each.type.tensor_type.ClearField("shape")


def open_model(model: Any, optimised: bool = True) -> Any:
    """Return ONNX Runtime's session of a model in memory, on one thread.

    Raises:
        RefusedError: it refuses the model.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4  # what fails is raised
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # ONNX Runtime's own are of no public class
        raise RefusedError(reason_of(error)) from error


def declare_outputs(model: Any, feeds: Feeds) -> None:
    """Write the shapes of a model's outputs into it, as ONNX Runtime infers them."""
    session = open_model(model)
    outputs = run(session, feeds)
    for each, info in zip(model.graph.output, session.get_outputs(), strict=True):
        rank = outputs[each.name].ndim
        each.type.tensor_type.shape.SetInParent()
        for axis in info.shape if len(info.shape) == rank else [None] * rank:
            dim = each.type.tensor_type.shape.dim.add()
            if isinstance(axis, int):
                dim.dim_value = axis
            elif axis is not None:
                dim.dim_param = axis


def run(session: Any, feeds: Feeds) -> dict[str, NDArray[Any]]:
    """Return every output by name.

    Raises:
        RefusedError: the network does not run on these feeds.
    """
    names = [each.name for each in session.get_outputs()]
    try:
        return dict(zip(names, session.run(names, dict(feeds)), strict=True))
    except Exception as error:  # as above
        raise RefusedError(reason_of(error)) from error


def run_all(model: Any, feeds: Feeds) -> dict[str, NDArray[Any]]:
    """Return every tensor of a network by name, the outputs of all its nodes."""
    return run(open_model(with_all_outputs(model), optimised=False), feeds)


def with_all_outputs(model: Any, known: Mapping[str, Any] = MappingProxyType({})) -> Any:
    """Return a copy whose outputs are those of all its nodes.

    Args:
        model: the ``ModelProto``.
        known: ``TypeProto`` of some of them, where it cannot be inferred.
    """
    every = copy_of(model)
    forget_shapes(every)
    there = {each.name for each in every.graph.output}
    for node in every.graph.node:
        names = [name for name in node.output if name and name not in there]
        every.graph.output.extend(
            proto.new("ValueInfo", name=name, type=known.get(name)) for name in names
        )
    return every


_DTYPES = {1: np.float32, 2: np.uint8, 6: np.int32, 7: np.int64, 10: np.float16}


def dtype_of(info: Any) -> np.dtype[Any]:
    """Return the NumPy type of an input."""
    return np.dtype(_DTYPES.get(info.type.tensor_type.elem_type, np.float32))


def type_of(dtype: np.dtype[Any], shape: Shape) -> Any:
    """Return the ``TypeProto`` of a tensor, None where its numbers are of no type known here."""
    kind = next((kind for kind, each in _DTYPES.items() if each == dtype), None)
    if kind is None:
        return None
    dims = [{} if axis is None else {"dim_value": axis} for axis in shape]
    return proto.new("TypeProto", tensor_type={"elem_type": kind, "shape": {"dim": dims}})

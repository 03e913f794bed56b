"""The layers of an ONNX file, and copies of it that give any of their tensors as outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.builder.onnx_file import load_onnx
from mirante.nearest import similar


@dataclass(frozen=True, slots=True)
class Layer:
    """One node of a graph.

    Attributes:
        number: its place in the file, in which a node stands behind all that it needs.
        name: the node's name, or that of its first output where it has none.
        op: its operator, such as ``Conv``.
        inputs: tensors that depend on the network's inputs; weights and constants are left out.
        outputs: the tensors that it makes.
    """

    number: int
    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.op} {self.name} (node {self.number})"


class Graph:
    """An ONNX file, read. What stands inside an ``If``, ``Loop`` or ``Scan`` is not seen.

    Raises:
        ImportError: the library onnx is missing.
        ValueError: ``path`` is no ONNX file.
    """

    def __init__(self, path: Path) -> None:
        self._onnx = load_onnx()
        self.path = path
        if path.suffix != ".onnx":
            raise ValueError(f"{path}: expected an ONNX file, as only its graph can be looked into")
        try:
            self._model = self._onnx.load(str(path))
        except Exception as error:  # protobuf's DecodeError is of no public module
            raise ValueError(f"{path}: expected an ONNX file: {error}") from error
        self.weights: Mapping[str, Any] = {t.name: t for t in self._model.graph.initializer}
        self.inputs = tuple(i.name for i in self._model.graph.input if i.name not in self.weights)
        self.outputs = tuple(output.name for output in self._model.graph.output)

    @property
    def nodes(self) -> Sequence[Any]:
        """The file's nodes, as the library onnx gives them."""
        nodes: Sequence[Any] = self._model.graph.node
        return nodes

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The nodes that depend on the network's inputs, in order."""
        reached = set(self.inputs)
        layers = []
        for number, node in enumerate(self.nodes):
            inputs = tuple(name for name in node.input if name in reached)
            outputs = tuple(name for name in node.output if name)
            # A node with a graph of its own may use any tensor in there.
            if inputs or any(a.HasField("g") or a.graphs for a in node.attribute):
                reached.update(outputs)
                name = node.name or node.output[0]
                layers.append(Layer(number, name, node.op_type, inputs, outputs))
        return tuple(layers)

    @cached_property
    def tensors(self) -> tuple[str, ...]:
        """Every name that can be asked for: inputs, what nodes make, weights."""
        made = [name for node in self.nodes for name in node.output if name]
        return (*self.inputs, *made, *self.weights)

    @cached_property
    def shapes(self) -> Mapping[str, tuple[str, str]]:
        """Type and shape of each tensor as far as they are known without running it."""
        inferred = self._onnx.shape_inference.infer_shapes(self._model, data_prop=True).graph
        found = {}
        for info in (*inferred.input, *inferred.value_info, *inferred.output):
            kind = info.type.tensor_type
            if not kind.elem_type:
                continue
            dtype = self._onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).name
            dims = [str(d.dim_value) if d.HasField("dim_value") else "?" for d in kind.shape.dim]
            found[info.name] = (dtype, "x".join(dims) if kind.HasField("shape") else "?")
        return found

    def check(self, name: str) -> None:
        """Refuses a tensor that is not there.

        Raises:
            ValueError: with the nearest names.
        """
        if name not in self.tensors:
            near = similar(name, self.tensors, most=3, cutoff=0.4)
            hint = f"did you mean {' or '.join(near)}?" if near else "--list names them"
            raise ValueError(f'no tensor "{name}" in {self.path.name}; {hint}')

    def weight(self, name: str) -> NDArray[Any]:
        """A tensor that the file holds."""
        return np.asarray(self._onnx.numpy_helper.to_array(self.weights[name]))

    def write_exposing(self, names: Iterable[str], path: Path) -> None:
        """Writes a copy of the file with further outputs.

        Their types are left out: runtimes find them, and a wrong one would be refused.
        """
        model = self._onnx.ModelProto()
        model.CopyFrom(self._model)
        there = {output.name for output in model.graph.output}
        for name in names:
            if name not in there:
                model.graph.output.append(self._onnx.ValueInfoProto(name=name))
                there.add(name)
        path.write_bytes(model.SerializeToString())

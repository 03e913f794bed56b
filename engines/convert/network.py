"""A network of a framework, loaded: what it computes there, and how it becomes an ONNX file."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engines.builder.onnx_file import load_onnx
from engines.runtimes import Session, TensorInfo, Tensors

EXACT = 1e-3  # largest difference where nothing is rounded, as a share of an output's magnitude
IMAGES, OUTPUT = "images", "output"  # what is named nothing better


class Runs(Protocol):
    """A loaded network that turns tensors into tensors."""

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        """Every output by name."""


class Network(Protocol):
    """One of any framework.

    Attributes:
        framework: ``PyTorch``, ``Keras``, ``TensorFlow``, ``TF Lite`` or ``ONNX``.
        library: what runs it, with the version.
        how: what writes the ONNX file, in words.
        tolerance: largest difference between both, as a share of an output's magnitude.
    """

    framework: str
    library: str
    how: str
    tolerance: float

    def write(self, path: Path) -> None:
        """Writes the ONNX file, its inputs and outputs named as in ``run``.

        Raises:
            ConvertError: the framework's exporter cannot; its words.
        """

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        """Every output by name, computed by the framework.

        Raises:
            ConvertError: it cannot.
        """


class AsSession:
    """A network in the place of a runtime's session, so that a manifest can be tried on it."""

    def __init__(self, network: Runs, like: Session) -> None:
        self._network = network
        self.inputs: Mapping[str, TensorInfo] = like.inputs
        self.outputs: Mapping[str, TensorInfo] = like.outputs

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        """Every output by name."""
        return self._network.run(feeds)


def folder_of(owner: object) -> Path:
    """A new folder, removed when its owner is no longer used."""
    folder = tempfile.mkdtemp(prefix="mirante-import-")
    weakref.finalize(owner, shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def tidy_names(names: Sequence[str], sole: str) -> list[str]:
    """Names for inputs or outputs of a graph: ``sole`` where there is one without a name."""
    found = [name.removesuffix(":0") for name in names]
    return [sole] if len(found) == 1 and not found[0] else found


def rename(model: Any, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Names the inputs and outputs of an ``onnx.ModelProto``, in its order.

    Tensors inside that have one of the names get another.
    """
    graph = model.graph
    old_in = [each.name for each in graph.input]
    old_out = [each.name for each in graph.output]
    new = dict(zip([*old_in, *old_out], [*inputs, *outputs], strict=True))
    taken = set(new.values()) - set(new)
    names = {name: f"{name}.inner" for name in taken} | new
    _rename_nodes(graph, names)
    for each in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        each.name = names.get(each.name, each.name)


def _rename_nodes(graph: Any, names: Mapping[str, str]) -> None:
    """Rename the nodes of a graph and of the graphs inside its nodes, which share its tensors."""
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _rename_nodes(attribute.g, names)


def arrays(values: Sequence[Any]) -> list[NDArray[Any]]:
    """Tensors of a framework as arrays of NumPy."""
    return [np.asarray(value) for value in values]


def read_onnx(path: Path) -> Any:
    """An ``onnx.ModelProto``.

    Raises:
        ValueError: it is none.
    """
    onnx = load_onnx()
    try:
        return onnx.load(str(path))
    except Exception as error:  # protobuf's DecodeError is of no public module
        raise ValueError(f"{path}: expected an ONNX file: {error}") from error

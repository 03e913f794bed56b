"""To ExecuTorch (``.pte``), by way of torch.export; what XNNPACK knows runs there."""

from __future__ import annotations

import contextlib
import io
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.convert import ConvertError, first_lines, library
from engines.convert.from_torch import TorchNetwork
from engines.convert.phones import Made
from engines.manifest import Manifest
from engines.runtimes import Tensors


def to_executorch(network: Any, manifest: Manifest, path: Path) -> Made:
    """Writes the file.

    Raises:
        ImportError: executorch is missing; names the extra.
        ConvertError: the network is not PyTorch's, or ExecuTorch refuses it.
    """
    if not isinstance(network, TorchNetwork):
        raise ConvertError(
            f"executorch takes PyTorch alone, and {manifest.name} is of {network.framework}; "
            "use --to litert"
        )
    torch = library("torch", "train")
    lower = library("executorch.exir", "phones").to_edge_transform_and_lower
    xnnpack = library("executorch.backends.xnnpack.partition.xnnpack_partitioner", "phones")
    made_by = f"executorch {version('executorch')}"
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            program = torch.export.export(network.flat_module(), (network.example(1),))
            lowered = lower(program, partitioner=[xnnpack.XnnpackPartitioner()])
            path.write_bytes(lowered.to_executorch().buffer)
        except Exception as error:  # torch.export's and ExecuTorch's own
            raise ConvertError(f"{made_by} cannot convert it: {first_lines(error)}") from error
    return Made(made_by, ".pte", _Program(path, network, manifest.input.name, made_by))


class _Program:
    """The file on this machine's CPU, by ExecuTorch's own runtime."""

    def __init__(self, path: Path, network: TorchNetwork, images: str, made_by: str) -> None:
        self._torch = library("torch", "train")
        runtime = library("executorch.runtime", "phones").Runtime.get()
        self._images, self._names, self._made_by = images, network.outputs, made_by
        self._program = runtime.load_program(path.read_bytes())
        self._method = self._program.load_method("forward")

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        """Every output by name."""
        tensor = self._torch.from_numpy(np.ascontiguousarray(feeds[self._images]))
        try:
            values = self._method.execute([tensor])
        except RuntimeError as error:
            raise ConvertError(f"{self._made_by} cannot run it: {first_lines(error)}") from error
        return {n: v.numpy().copy() for n, v in zip(self._names, values, strict=True)}

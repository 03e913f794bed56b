"""To LiteRT (``.tflite``): PyTorch by litert-torch, Keras and TensorFlow by TensorFlow itself."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from engines.convert import ConvertError, first_lines, library
from engines.convert.from_tensorflow import TensorFlowNetwork, tensorflow
from engines.convert.from_torch import TorchNetwork, flat
from engines.convert.phones import Made
from engines.manifest import Manifest
from engines.runtimes.litert import open_session


def to_litert(network: Any, manifest: Manifest, path: Path) -> Made:
    """Writes the file.

    Raises:
        ImportError: litert-torch, TensorFlow or LiteRT is missing; names the extra.
        ConvertError: the converter refuses the network, or names its tensors otherwise.
    """
    by = _of_torch if isinstance(network, TorchNetwork) else _of_tensorflow
    made_by = by(network, manifest, path)
    session = open_session(path, 1)
    for of, got, expected in (
        ("inputs", session.inputs, [manifest.input.name]),
        ("outputs", session.outputs, network.outputs),
    ):
        if set(got) != set(expected):
            raise ConvertError(
                f"{made_by}: the {of} of its file are {', '.join(got)}, those of "
                f"{manifest.name} {', '.join(expected)}"
            )
    return Made(made_by, ".tflite", session)


def _of_torch(network: TorchNetwork, manifest: Manifest, path: Path) -> str:
    converter = library("litert_torch", "phones")
    made_by = f"litert-torch {version('litert-torch')}"
    torch = library("torch", "train")
    module = network.module

    class ByName(torch.nn.Module):  # type: ignore[misc, name-defined]
        """Inputs and outputs by name, which the file then has."""

        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, **pictures: Any) -> Mapping[str, Any]:
            return flat(self.module(*pictures.values()))

    example = {manifest.input.name: network.example(1)}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            edge = converter.convert(ByName().eval(), sample_kwargs=example)
            edge.export(str(path))
        except Exception as error:  # torch.export's, jax's and MLIR's
            raise ConvertError(f"{made_by} cannot convert it: {first_lines(error)}") from error
    return made_by


def _of_tensorflow(network: TensorFlowNetwork, _manifest: Manifest, path: Path) -> str:
    tf = tensorflow()
    made_by = f"tensorflow {tf.__version__}"
    logging.getLogger("absl").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            path.write_bytes(network.lite_converter().convert())
        except Exception as error:  # the converter's own
            raise ConvertError(f"{made_by} cannot convert it: {first_lines(error)}") from error
    return made_by

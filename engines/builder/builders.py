"""The builders that make an engine of an ONNX file, by runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from engines.names import resolve

BUILDERS = {
    "onnxruntime": "engines.builder.onnx_runtime:BUILDER",
    "openvino": "engines.builder.openvino:BUILDER",
    "tensorrt": "engines.builder.tensorrt:TENSORRT",
    "tensorrt-rtx": "engines.builder.tensorrt:TENSORRT_RTX",
}

Precision = Literal["fp32", "fp16", "int8"]
Shape = tuple[int, ...]
Told = Callable[[float, str], None]  # share done in 0..1, and what is being done


class BuildError(RuntimeError):
    """An engine cannot be built; the message says which node or input, and which recipe helps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of a build.

    Attributes:
        profiles: for each input with a dynamic axis its least, likeliest and largest shape; inputs
            of fixed shape are left out.
        target: the GPU architecture to build for, such as ``sm89``; None for the one here.
        workspace_mib: most scratch memory of a TensorRT tactic.
    """

    profiles: Mapping[str, tuple[Shape, Shape, Shape]] = field(default_factory=dict)
    target: str | None = None
    workspace_mib: int = 2048


class Builder(Protocol):
    """Precision is a property of the ONNX graph: a builder never changes it."""

    suffix: str

    def library(self) -> str:
        """Name and version of what builds and later runs, such as ``tensorrt-rtx 1.7.1.116``.

        Raises:
            ImportError: it is not installed; names the extra that does.
        """

    def device(self, target: str | None) -> str:
        """Return the device that the engine is for: ``sm89``, a GPU's own architecture, or ``cpu``.

        Raises:
            BuildError: ``target`` is unknown to it, or None and there is no GPU.
        """

    def build(self, onnx: Path, out: Path, options: Options, told: Told) -> None:
        """Writes the engine's file (files, with the same stem) at ``out``.

        Raises:
            BuildError: in words.
        """


def builder_of(runtime: str) -> Builder:
    """The builder of a runtime.

    Raises:
        UnknownNameError: no such runtime, or it runs models as they are.
    """
    found: Builder = resolve("builder", runtime, BUILDERS)
    return found

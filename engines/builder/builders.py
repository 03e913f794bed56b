"""The builders that make an engine of an ONNX file, by runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from engines.names import resolve

BUILDERS = {
    "onnxruntime": "engines.builder.onnx_runtime:BUILDER",
    "openvino": "engines.builder.openvino:BUILDER",
    "tensorrt": "engines.builder.tensorrt:TENSORRT",
    "tensorrt-lean": "engines.builder.tensorrt:TENSORRT_LEAN",
    "tensorrt-rtx": "engines.builder.tensorrt:TENSORRT_RTX",
}

Precision = Literal["fp32", "fp16", "int8", "fp8"]
Shape = tuple[int, ...]
# The share done in 0..1, None where nothing tells how far it is, and what is being done.
Told = Callable[[float | None, str], None]


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
        refit: other weights can be put into the engine later.
        compatible: later versions of the library run it too; it holds code of this one for that.
        dla: the core of a Jetson's accelerator that runs what it can; None for the GPU alone.
        timings: file in which TensorRT's measurements are kept for later builds; None keeps none.
    """

    profiles: Mapping[str, tuple[Shape, Shape, Shape]] = field(default_factory=dict)
    target: str | None = None
    workspace_mib: int = 2048
    refit: bool = False
    compatible: bool = False
    dla: int | None = None
    timings: Path | None = None


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

    def driver(self, target: str | None) -> str | None:
        """Return the driver's version if the engine is for that alone, else None."""

    def build(self, onnx: Path, out: Path, options: Options, told: Told) -> None:
        """Writes the engine's file (files, with the same stem) at ``out``.

        Raises:
            BuildError: in words.
        """


@runtime_checkable
class GpuBuilder(Builder, Protocol):
    """A builder that measures on a GPU, and gives engines other weights."""

    def timings(self) -> Path | None:
        """Return the file in which measurements on the GPU here are kept; None for none.

        Raises:
            BuildError: there is no GPU.
        """

    def refit(self, engine: Path, onnx: Path, out: Path) -> None:
        """Writes an engine that is there with the weights of a graph of the same structure.

        Raises:
            BuildError: it cannot be; nothing is written.
        """


def between(told: Told, low: float, high: float, lead: str = "") -> Told:
    """Tells of a part as of a share of the whole; its words with ``lead`` before them."""

    def part(share: float | None, words: str) -> None:
        whole = None if share is None else low + (high - low) * min(max(share, 0.0), 1.0)
        told(whole, lead + words)

    return part


def builder_of(runtime: str) -> Builder:
    """The builder of a runtime.

    Raises:
        UnknownNameError: no such runtime, or it runs models as they are.
    """
    found: Builder = resolve("builder", runtime, BUILDERS)
    return found

"""ONNX Runtime: the prepared graph is the engine."""

from __future__ import annotations

import shutil
from pathlib import Path

from engines.builder.builders import BuildError, Options, Told

CPU = "cpu"


def cpu_only(target: str | None) -> str:
    """The device of a runtime that runs on the CPU.

    Raises:
        BuildError: another is asked for.
    """
    if target not in (None, CPU):
        raise BuildError(f'target: expected {CPU} or none, got "{target}"')
    return CPU


class OnnxRuntimeBuilder:
    """Keeps the graph as it is; ONNX Runtime optimises it when it loads it."""

    suffix = ".onnx"

    def library(self) -> str:
        """Such as ``onnxruntime 1.32.0``.

        Raises:
            ImportError: it is not installed.
        """
        try:
            import onnxruntime
        except ImportError as error:
            raise ImportError('onnxruntime is missing; pip install "mirante[pipeline]"') from error
        return f"onnxruntime {onnxruntime.__version__}"

    def device(self, target: str | None) -> str:
        """``cpu``."""
        return cpu_only(target)

    def driver(self, target: str | None) -> None:
        """None: there is none."""

    def build(self, onnx: Path, out: Path, options: Options, told: Told) -> None:
        """Copies the graph."""
        cpu_only(options.target)
        told(0.0, "writing the graph")
        shutil.copyfile(onnx, out)
        told(1.0, "built")


BUILDER = OnnxRuntimeBuilder()

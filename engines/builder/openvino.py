"""OpenVINO: the prepared graph in its own format, ``.xml`` with the weights in a ``.bin``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engines.builder.builders import BuildError, Options, Told
from engines.builder.onnx_runtime import cpu_only


class OpenvinoBuilder:
    """Converts on the CPU, for the CPU."""

    suffix = ".xml"

    def library(self) -> str:
        """Such as ``openvino 2026.4.1``.

        Raises:
            ImportError: it is not installed.
        """
        return f"openvino {_openvino().__version__.partition('-')[0]}"

    def device(self, target: str | None) -> str:
        """``cpu``."""
        return cpu_only(target)

    def driver(self, target: str | None) -> None:
        """None: there is none."""

    def build(self, onnx: Path, out: Path, options: Options, told: Told) -> None:
        """Converts the graph; its types stay as they are.

        Raises:
            BuildError: OpenVINO cannot convert it.
        """
        cpu_only(options.target)
        openvino = _openvino()
        told(None, "converting")
        try:
            # openvino.convert_model would report each call to Google, from a fork of this process.
            model = openvino.Core().read_model(str(onnx))
        except Exception as error:  # its frontends raise what they raise
            said = " ".join(str(error).split())
            raise BuildError(f"{onnx}: OpenVINO cannot convert it: {said:.400}") from error
        told(None, "writing")
        openvino.save_model(model, str(out), compress_to_fp16=False)
        told(1.0, "built")


def _openvino() -> Any:
    try:
        import openvino
    except ImportError as error:
        raise ImportError('openvino is missing; pip install "mirante[openvino]"') from error
    return openvino


BUILDER = OpenvinoBuilder()

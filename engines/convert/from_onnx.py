"""ONNX files from anywhere."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from engines.builder.onnx_file import load_onnx
from engines.convert.asked import Asked
from engines.convert.network import EXACT, read_onnx
from engines.runtimes import Tensors, open_session


class OnnxNetwork:
    """An ONNX file, taken over; weights that lie beside it are put into it."""

    framework = "ONNX"
    how = "as it is"
    tolerance = EXACT

    def __init__(self, asked: Asked) -> None:
        self._path = Path(asked.source)
        read_onnx(self._path)
        self._session = open_session("onnxruntime", self._path, 1)
        self.library = f"onnxruntime {version('onnxruntime')}"

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        """Every output by name, computed by ONNX Runtime from the source."""
        return self._session.run(feeds)

    def write(self, path: Path) -> None:
        """Copies it, with the weights that lie beside it."""
        load_onnx().save(read_onnx(self._path), str(path))

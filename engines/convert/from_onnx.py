"""ONNX files from anywhere."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from engines.builder.onnx_file import load_onnx
from engines.convert.asked import Asked
from engines.convert.mend import mended
from engines.convert.network import EXACT, folder_of, read_onnx
from engines.runtimes import Tensors, open_session


class OnnxNetwork:
    """An ONNX file, taken over; weights that lie beside it are put into it."""

    framework = "ONNX"
    tolerance = EXACT

    def __init__(self, asked: Asked) -> None:
        path = Path(asked.source)
        self._model, said = mended(read_onnx(path))
        if said:
            path = folder_of(self) / "mended.onnx"
            load_onnx().save(self._model, str(path))
        self._session = open_session("onnxruntime", path, 1)
        self.how = "; ".join(said) or "as it is"
        self.library = f"onnxruntime {version('onnxruntime')}"

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        """Every output by name, computed by ONNX Runtime from the source."""
        return self._session.run(feeds)

    def write(self, path: Path) -> None:
        """Copies it, with the weights that lie beside it."""
        load_onnx().save(self._model, str(path))

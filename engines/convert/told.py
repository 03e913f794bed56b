"""Ask a file what it says of its own network, by its suffix."""

from __future__ import annotations

from pathlib import Path

from engines.convert.metadata import Told, of_properties
from engines.convert.network import read_onnx


def told_by(source: str) -> Told:
    """Return what a file says; nothing where it is of another framework, or no file.

    Raises:
        ValueError: an .onnx file is none.
    """
    path = Path(source)
    if not path.is_file():
        return Told()
    if path.suffix.lower() == ".onnx":
        return of_properties({each.key: each.value for each in read_onnx(path).metadata_props})
    if path.suffix.lower() == ".tflite":
        from engines.convert.tflite_metadata import told_by_tflite

        return told_by_tflite(path)
    return Told()

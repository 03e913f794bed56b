"""Find the framework of a source."""

from __future__ import annotations

from pathlib import Path

from engines.convert.asked import Asked
from engines.convert.network import Network
from engines.names import resolve

# By suffix; a folder is TensorFlow's, and what is no file is a function that makes a module.
SOURCES = {
    ".onnx": "engines.convert.from_onnx:OnnxNetwork",
    ".pt": "engines.convert.from_torch:open_torch",
    ".pth": "engines.convert.from_torch:open_torch",
    ".pt2": "engines.convert.from_torch:open_torch",
    ".bin": "engines.convert.from_torch:open_torch",
    ".keras": "engines.convert.from_tensorflow:open_keras",
    ".h5": "engines.convert.from_tensorflow:open_keras",
    ".hdf5": "engines.convert.from_tensorflow:open_keras",
    ".pb": "engines.convert.from_tensorflow:open_frozen",
    ".tflite": "engines.convert.from_tflite:TfliteNetwork",
}
_FOLDER = "engines.convert.from_tensorflow:open_saved_model"
_MODULE = SOURCES[".pt"]


def open_network(asked: Asked) -> Network:
    """The network of a source, loaded by its framework.

    Raises:
        ValueError: file not found, or it is none that is known.
        ImportError: the framework is missing; names the extra.
        ConvertError: the framework refuses it.
    """
    network: Network = resolve("source", _opener(asked), {})(asked)
    return network


def _opener(asked: Asked) -> str:
    path = Path(asked.source)
    known = ", ".join(SOURCES)
    if path.is_dir():
        if not (path / "saved_model.pb").is_file():
            raise ValueError(f"{path}: expected a SavedModel folder, with saved_model.pb in it")
        return _FOLDER
    if path.name == "saved_model.pb":
        raise ValueError(f"{path}: name its folder, {path.parent}")
    if not path.is_file():
        if ":" in asked.source and path.suffix.lower() not in SOURCES:
            return _MODULE
        raise ValueError(
            f"{path}: no such file; expected one of {known}, a SavedModel folder, or "
            "package.module:function"
        )
    suffix = path.suffix.lower()
    if suffix not in SOURCES:
        raise ValueError(f"{path}: unknown suffix; expected one of {known}")
    if asked.network is not None and SOURCES[suffix] != _MODULE:
        raise ValueError(f"network: expected with weights of PyTorch, got {path.name}")
    return SOURCES[suffix]

"""Read an ONNX file for the builder."""

from __future__ import annotations

from types import ModuleType


def load_onnx() -> ModuleType:
    """The library onnx with what is used of it.

    Raises:
        ImportError: it is missing; names the extra.
    """
    try:
        import onnx
        import onnx.helper
        import onnx.numpy_helper
        import onnx.shape_inference
    except ImportError as error:
        raise ImportError('onnx is missing; pip install "mirante[build]"') from error
    module: ModuleType = onnx
    return module

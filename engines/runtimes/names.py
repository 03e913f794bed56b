"""The table of runtimes, without any of them."""

from __future__ import annotations

from mirante.nearest import nearest

RUNTIMES = {
    "kserve-grpc": "engines.runtimes.remote.kserve_grpc:open_session",
    "kserve-http": "engines.runtimes.remote.kserve_http:open_session",
    "litert": "engines.runtimes.litert:open_session",
    "onnxruntime": "engines.runtimes.onnx_runtime:open_session",
    "openvino": "engines.runtimes.openvino:open_session",
    "tensorrt": "engines.runtimes.tensorrt.session:open_session",
    "tensorrt-lean": "engines.runtimes.tensorrt.session:open_lean_session",
    "tensorrt-rtx": "engines.runtimes.tensorrt.session:open_rtx_session",
    "tf-serving": "engines.runtimes.remote.tf_serving:open_session",
}


# What executes a file whose manifest does not say.
BY_SUFFIX = {
    ".onnx": "onnxruntime",
    ".tflite": "litert",
    ".xml": "openvino",
    ".plan": "tensorrt",
    ".engine": "tensorrt",
    ".rtx": "tensorrt-rtx",
}


# Those that ask a server, and the schemes of its address.
SCHEMES = {
    "kserve-grpc": ("grpc", "grpcs"),
    "kserve-http": ("http", "https"),
    "tf-serving": ("http", "https"),
}


REMOTE = tuple(SCHEMES)


def known_runtime(name: str) -> None:
    """Checks that there is such a runtime, without importing it.

    Raises:
        ValueError: naming the nearest.
    """
    if name not in RUNTIMES and ":" not in name:
        raise ValueError(f'runtime: no runtime "{name}"; {nearest(name, RUNTIMES, "known:")}')

"""ONNX Runtime as it comes, for looking inside and for measuring."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.runtimes import RefusedError, Session, TensorInfo, Tensors

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


class BasicSession:
    """One ``InferenceSession``; on a CPU node by node as the file is written: nothing is fused,
    folded or laid out again.

    Args:
        path: of an ONNX file.
        threads: inside one inference.
        provider: what executes; on CUDA the graph is optimised.

    Raises:
        RefusedError: ONNX Runtime refuses the file, or was built without the provider.
    """

    def __init__(self, path: Path, threads: int, provider: str = CPU) -> None:
        import onnxruntime

        if provider not in onnxruntime.get_available_providers():
            raise RefusedError(f"this onnxruntime has no {provider}; pip install onnxruntime-gpu")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4  # what fails is raised, and need not be printed too
        if provider == CPU:
            level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
            options.graph_optimization_level = level
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=[provider])
        except Exception as error:
            raise RefusedError(f"onnxruntime refuses {path}: {error}") from error
        if provider not in self._session.get_providers():
            raise RefusedError(f"onnxruntime cannot use {provider} here")
        self.inputs: Mapping[str, TensorInfo] = _infos(self._session.get_inputs())
        self.outputs: Mapping[str, TensorInfo] = _infos(self._session.get_outputs())

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        """Every output by name; on a GPU copying there and back is part of it."""
        names = list(self.outputs)
        return dict(zip(names, self._session.run(names, feeds), strict=True))


def open_session(path: Path, threads: int) -> Session:
    """On the CPU, a session of its own: it is asked for once."""
    return BasicSession(path, threads)


def open_cuda_session(path: Path, threads: int) -> Session:
    """On the GPU, a session of its own."""
    return BasicSession(path, threads, CUDA)


def _infos(nodes: Any) -> dict[str, TensorInfo]:
    """Shapes; types are left to the arrays themselves."""
    return {
        node.name: TensorInfo(
            tuple(axis if isinstance(axis, int) else None for axis in node.shape),
            np.dtype(np.object_),
        )
        for node in nodes
    }

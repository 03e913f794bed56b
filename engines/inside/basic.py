"""ONNX Runtime node by node, as the file is written: nothing fused, folded or laid out anew."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.runtimes import RefusedError, Session, TensorInfo, Tensors


class BasicSession:
    """One ``InferenceSession`` without graph optimisation, on the CPU.

    Raises:
        RefusedError: ONNX Runtime refuses the file.
    """

    def __init__(self, path: Path, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise RefusedError(f"onnxruntime refuses {path}: {error}") from error
        self.inputs: Mapping[str, TensorInfo] = _infos(self._session.get_inputs())
        self.outputs: Mapping[str, TensorInfo] = _infos(self._session.get_outputs())

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        """Every output by name."""
        names = list(self.outputs)
        return dict(zip(names, self._session.run(names, feeds), strict=True))


def open_session(path: Path, threads: int) -> Session:
    """A session of its own: it is asked for once."""
    return BasicSession(path, threads)


def _infos(nodes: Any) -> dict[str, TensorInfo]:
    """Shapes; types are left to the arrays themselves."""
    return {
        node.name: TensorInfo(
            tuple(axis if isinstance(axis, int) else None for axis in node.shape),
            np.dtype(np.object_),
        )
        for node in nodes
    }

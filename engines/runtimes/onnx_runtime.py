"""ONNX Runtime on the CPU."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.runtimes import RefusedError, RunError, Session, TensorInfo, Tensors
from engines.runtimes.feeds import check_feeds
from engines.runtimes.shared import SharedSessions

_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}


class OnnxSession:
    """One ``InferenceSession``; safe to run from several threads."""

    def __init__(self, path: Path, threads: int) -> None:
        ort = _onnxruntime()
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # A spinning pool takes the cores from decoders and from other cameras: with one other busy
        # core a call takes twice as long.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = ort.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise RefusedError(f"onnxruntime refuses {path}: {error}") from error
        self.inputs: Mapping[str, TensorInfo] = _infos(self._session.get_inputs())
        self.outputs: Mapping[str, TensorInfo] = _infos(self._session.get_outputs())
        self._names = list(self.outputs)

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        """Every output by name.

        Raises:
            FeedError: an input is missing, is not the model's, or has another shape or type.
            RunError: it does not run on them; the node and the reason.
        """
        check_feeds(self.inputs, feeds)
        try:
            found = self._session.run(self._names, feeds)
        except Exception as error:  # ONNX Runtime's own are of no public class
            raise RunError(reason_of(error)) from error
        return dict(zip(self._names, found, strict=True))


_OF_A_NODE = re.compile(
    r"running (\w+) node. Name:'([^']*)' Status Message: (?:\S*\.\w+:\d+ )?(.*)"
)
_SIGNATURE = re.compile(r"^[\w: <>*&]+::\w+\([^)]*\) ")


def reason_of(error: Exception) -> str:
    """Return what ONNX Runtime says, the node and the reason, without its codes."""
    text = " ".join(str(error).split()) or type(error).__name__
    node = _OF_A_NODE.search(text)
    if node is None:
        return text.rpartition(" : ")[2][:200]
    return f"{f'{node[1]} {node[2]}'.strip()}: {_SIGNATURE.sub('', node[3])}"[:200]


def _infos(nodes: Any) -> dict[str, TensorInfo]:
    return {
        node.name: TensorInfo(
            tuple(a if isinstance(a, int) and a >= 0 else None for a in node.shape),
            np.dtype(_DTYPES.get(node.type, np.object_)),
        )
        for node in nodes
    }


def _onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError('onnxruntime is missing; pip install "mirante[pipeline]"') from error
    return onnxruntime


_SHARED = SharedSessions(OnnxSession)


def open_session(path: Path, threads: int) -> Session:
    """The process's one session for this file (as it is now) and number of threads."""
    return _SHARED.open(path, threads)

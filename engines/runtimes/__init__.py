"""Runtimes: a model file and tensors in, tensors out. They know no boxes and no masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engines.registry import resolve

RUNTIMES = {
    "kserve-grpc": "engines.runtimes.kserve:open_grpc_session",
    "kserve-http": "engines.runtimes.kserve:open_http_session",
    "litert": "engines.runtimes.litert:open_session",
    "onnxruntime": "engines.runtimes.onnx_runtime:open_session",
    "openvino": "engines.runtimes.openvino:open_session",
    "tensorrt": "engines.runtimes.tensorrt:open_session",
    "tensorrt-rtx": "engines.runtimes.tensorrt:open_rtx_session",
    "tf-serving": "engines.runtimes.tf_serving:open_session",
}

Tensors = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """An input or output as the model file declares it.

    Attributes:
        shape: one entry per axis, None where the axis is dynamic.
        dtype: its NumPy type.
    """

    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]


class RefusedError(RuntimeError):
    """A runtime refuses a model file: damaged, of another kind, or for another device."""


class FeedError(ValueError):
    """An input has another shape or type than the model's; names it and what was expected."""


class RemoteError(RuntimeError):
    """A model server is out of reach, too slow, or refuses; says which, after how many attempts."""


class Session(Protocol):
    """A loaded model. ``run`` may be called by several threads at once."""

    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        """Every output by name, for one array per input."""


def open_session(runtime: str, path: Path, threads: int) -> Session:
    """The session of a file in a runtime, shared by all who ask with the same arguments.

    Raises:
        UnknownNameError: no such runtime, or its library is missing.
        RuntimeError: the runtime refuses the file; the message is its own.
    """
    session: Session = resolve("runtime", runtime, RUNTIMES)(path, threads)
    return session


def threads_per_session(cores: int, cameras: int) -> int:
    """Threads inside one session when each camera's thread runs its own session calls.

    Cores that no camera occupies go to the sessions, and never fewer than one thread each. More
    than 8 threads gain nothing on nets of this size.

    Raises:
        ValueError: ``cores`` or ``cameras`` is below 1.
    """
    if cores < 1 or cameras < 1:
        raise ValueError(f"expected cores and cameras >= 1, got {cores} and {cameras}")
    return max(1, min(8, cores // cameras))

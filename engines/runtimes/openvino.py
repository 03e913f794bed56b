"""OpenVINO on the CPU: ``.onnx`` files, and its own ``.xml`` with the ``.bin`` beside it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.runtimes import RefusedError, Session, TensorInfo, Tensors
from engines.runtimes.feeds import check_feeds
from engines.runtimes.pool import Pool
from engines.runtimes.shared import SharedSessions


class OpenvinoSession:
    """One compiled model and an infer request per thread that runs it at the same time.

    OpenVINO runs as many requests at once as it has streams; here every stream has ``threads``
    threads, and there are as many streams as the machine's cores can feed. What it could keep of a
    compiled model on disk is not used: it saves 0.2 s of a start, has no checksum, and a damaged
    file gives other results without a word.
    """

    def __init__(self, path: Path, threads: int) -> None:
        # CACHE_DIR stays unset: a damaged cache loads without an error and gives wrong outputs.
        streams = max(1, len(os.sched_getaffinity(0)) // threads)
        config = {
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": streams * threads,
            "ENABLE_CPU_PINNING": False,  # decoders and other cameras share the cores
            "INFERENCE_PRECISION_HINT": "f32",  # else bfloat16 where the CPU has it
        }
        try:
            self._compiled = compiled = _core().compile_model(path, "CPU", config)
        except RuntimeError as error:
            raise RefusedError(f"openvino refuses {path}: {_reason(error)}") from error
        self.inputs: Mapping[str, TensorInfo] = {_name(p): _info(p) for p in compiled.inputs}
        self.outputs: Mapping[str, TensorInfo] = {_name(p): _info(p) for p in compiled.outputs}
        self._order = list(self.inputs)
        self._requests: Pool[Any] = Pool(compiled.create_infer_request)

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        """Every output by name, in arrays of their own.

        Raises:
            FeedError: an input is missing, is not the model's, or has another shape or type.
        """
        check_feeds(self.inputs, feeds)
        arrays = {index: feeds[name] for index, name in enumerate(self._order)}
        with self._requests.lent() as request:
            values = request.infer(arrays, share_inputs=True).to_tuple()
        return dict(zip(self.outputs, values, strict=True))


def _name(port: Any) -> str:
    """The name that the model's file gives an input or output.

    A port has further names where a node that only copies was removed, in no order; its node has
    the one that was exported.
    """
    names: set[str] = port.get_names()
    exported: str = port.get_node().get_friendly_name().removesuffix("/sink_port_0")
    return exported if exported in names or not names else min(names)


def _info(port: Any) -> TensorInfo:
    shape = port.get_partial_shape()
    if shape.rank.is_dynamic:
        raise RefusedError(f"openvino: {_name(port)} has any number of axes; expected a fixed one")
    axes = tuple(axis.get_length() if axis.is_static else None for axis in shape)
    return TensorInfo(axes, np.dtype(port.get_element_type().to_dtype()))


def _reason(error: RuntimeError) -> str:
    """OpenVINO's message without the places in its source that it came by."""
    lines = [line.strip() for line in str(error).splitlines()]
    said = [line for line in lines if line and not line.startswith(("Exception from ", "Check '"))]
    return " ".join(said) or str(error).strip()


@cache
def _core() -> Any:
    try:
        import openvino
    except ImportError as error:
        raise ImportError('openvino is missing; pip install "mirante[openvino]"') from error
    return openvino.Core()


_SHARED = SharedSessions(OpenvinoSession)


def open_session(path: Path, threads: int) -> Session:
    """The process's one session for this file (as it is now) and number of threads.

    Raises:
        ImportError: openvino is not installed.
        RefusedError: OpenVINO refuses the file.
    """
    return _SHARED.open(path, threads)

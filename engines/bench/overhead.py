"""What our runtime adds to the bare call of the library beneath it, with the same settings."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engines.bench.rounds import in_turn
from engines.inside.values import Arrays
from engines.runtimes import open_session

Call = Callable[[], object]


def overhead(path: Path, runtime: str, feeds: Arrays, threads: int, rounds: int) -> list[float]:
    """Our milliseconds / bare milliseconds in each round, calls in turn.

    Args:
        path: an ONNX file.
        runtime: ``onnxruntime`` or ``openvino``.
        feeds: of one call.
        threads: inside it.
        rounds: at least 1.

    Raises:
        ValueError: another runtime.
        ImportError: the library is missing.
    """
    if runtime not in BARE:
        raise ValueError(f"runtime: expected one of {', '.join(BARE)}, got {runtime}")
    session = open_session(runtime, path, threads)
    bare = BARE[runtime](path, feeds, threads)
    calls: dict[str, Call] = {"ours": lambda: session.run(feeds), "bare": bare}
    # Single calls in turn: what is looked for is smaller than the drift between two blocks.
    taken = in_turn(calls, rounds, block_s=0.0)
    return [ours / theirs for ours, theirs in zip(taken["ours"], taken["bare"], strict=True)]


def _bare_onnxruntime(path: Path, feeds: Arrays, threads: int) -> Call:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session: Any = onnxruntime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"]
    )
    return lambda: session.run(None, feeds)


def _bare_openvino(path: Path, feeds: Arrays, threads: int) -> Call:
    import openvino

    streams = max(1, len(os.sched_getaffinity(0)) // threads)
    config = {
        "NUM_STREAMS": streams,
        "INFERENCE_NUM_THREADS": streams * threads,
        "ENABLE_CPU_PINNING": False,
        "INFERENCE_PRECISION_HINT": "f32",
    }
    request: Any = openvino.Core().compile_model(str(path), "CPU", config).create_infer_request()
    return lambda: request.infer(feeds)


BARE: dict[str, Callable[[Path, Arrays, int], Call]] = {
    "onnxruntime": _bare_onnxruntime,
    "openvino": _bare_openvino,
}

"""Measure what our runtime adds to a bare call of its library with the same settings."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.models.peak import write_products
from benchmarks.models.rounds import in_turn
from engines.inspect.values import Arrays
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
    ours, bare = _both(path, runtime, feeds, threads)
    # Few calls in turn: what is looked for is smaller than the drift between two long blocks.
    taken = in_turn({"ours": ours, "bare": bare}, rounds, block_s=0.0)
    return [here / there for here, there in zip(taken["ours"], taken["bare"], strict=True)]


def added_us(runtime: str, folder: Path, calls: int) -> float:
    """Microseconds that ours adds to a call of a network that computes next to nothing.

    It is the same for every network of one input and one output, and not lost in the noise of
    milliseconds.

    Args:
        runtime: as ``overhead``.
        folder: where the network is written.
        calls: of each, in turn, at least 1.

    Raises:
        ValueError, ImportError: as ``overhead``.
    """
    path = folder / "nothing.onnx"
    write_products(path, side=8, times=1)
    ours, bare = _both(path, runtime, {"x": np.zeros((1, 1), np.float32)}, 1)
    taken: dict[Call, list[int]] = {ours: [], bare: []}
    for _ in range(calls):
        for call, times_ns in taken.items():
            began_ns = time.perf_counter_ns()
            call()
            times_ns.append(time.perf_counter_ns() - began_ns)
    return (median(taken[ours]) - median(taken[bare])) / 1e3


def _both(path: Path, runtime: str, feeds: Arrays, threads: int) -> tuple[Call, Call]:
    """Our call and the bare one."""
    if runtime not in BARE:
        raise ValueError(f"runtime: expected one of {', '.join(BARE)}, got {runtime}")
    session = open_session(runtime, path, threads)
    return lambda: session.run(feeds), BARE[runtime](path, feeds, threads)


def _bare_onnxruntime(path: Path, feeds: Arrays, threads: int) -> Call:
    # The one beneath ours: another session of the same file has its weights elsewhere in memory and
    # was up to 5 % faster or slower by that alone.
    session: Any = open_session("onnxruntime", path, threads)
    beneath = session._session
    return lambda: beneath.run(None, feeds)


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

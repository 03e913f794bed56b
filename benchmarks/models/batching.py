"""Measure the batcher: its cost when idle, its gain under load."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.models.batches import stacked
from engines.inspect.values import Arrays
from engines.runtimes import Session, TensorInfo, Tensors

PAUSE_S = 0.005  # between two calls of an idle batcher
Batching = Callable[[Session], Any]  # makes a session that puts together what callers feed


class TimedSession:
    """Stands for a GPU: one call at a time, which takes a fixed time and some for each image.

    The thread sleeps meanwhile, so that the processor is free for those who call. What it gives,
    ``y`` (n,), is the first value of each image fed in ``x`` (n, 3, 8, 8).
    """

    def __init__(self, call_ms: float, picture_ms: float) -> None:
        self.inputs: Mapping[str, TensorInfo] = {
            "x": TensorInfo((None, 3, 8, 8), np.dtype(np.float32))
        }
        self.outputs: Mapping[str, TensorInfo] = {"y": TensorInfo((None,), np.dtype(np.float32))}
        self._call_s, self._picture_s = call_ms / 1e3, picture_ms / 1e3
        self._one = threading.Lock()

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        """As a ``Session``."""
        pictures = feeds["x"]
        with self._one:
            time.sleep(self._call_s + self._picture_s * len(pictures))
        return {"y": pictures[:, 0, 0, 0].copy()}


@dataclass(frozen=True, slots=True)
class Idle:
    """One caller, with pauses; milliseconds of a call."""

    bare_p50: float
    bare_p95: float
    batcher_p50: float
    batcher_p95: float

    @property
    def added_p50(self) -> float:
        """Milliseconds that the batcher adds at the median."""
        return self.batcher_p50 - self.bare_p50

    @property
    def added_p95(self) -> float:
        """Milliseconds that it adds at the 95th percentile."""
        return self.batcher_p95 - self.bare_p95


@dataclass(frozen=True, slots=True)
class Loaded:
    """Images a second: of full batches, and of callers of one image each by the batcher."""

    full: float
    batcher: float

    @property
    def share(self) -> float:
        """Return the share of full batches that the batcher reaches."""
        return self.batcher / self.full


def idle(session: Session, batching: Batching, feeds: Arrays, calls: int) -> Idle:
    """The latency of the batcher beside that of the bare session, calls in turn.

    Args:
        session: takes several images per call.
        batching: makes the batcher.
        feeds: of one image.
        calls: of each, at least 1.
    """
    batcher = batching(session)
    taken: dict[str, list[float]] = {"bare": [], "batcher": []}
    for each in (session, batcher):
        each.run(feeds)
    for _ in range(calls):
        for name, each in (("bare", session), ("batcher", batcher)):
            time.sleep(PAUSE_S)
            began_s = time.perf_counter()
            each.run(feeds)
            taken[name].append((time.perf_counter() - began_s) * 1e3)
    parts = (np.percentile(taken[name], [50, 95]) for name in ("bare", "batcher"))
    close(batcher)
    return Idle(*(float(value) for pair in parts for value in pair))


def loaded(
    session: Session,
    batching: Batching,
    feeds: Sequence[Arrays],
    batch: int,
    rounds: int,
    seconds: float,
) -> Loaded:
    """The throughput of full batches by one caller, and of the batcher under twice as many callers
    as a batch holds, in turn.

    Args:
        session: takes ``batch`` images per call.
        batching: makes the batcher, of the same size.
        feeds: of images; callers go round them.
        batch: images in a full batch.
        rounds: medians are over these.
        seconds: of each, in each round.
    """
    batcher = batching(session)
    together = stacked(feeds, batch)
    full, through = [], []
    for _ in range(rounds):
        full.append(batch * calls_per_s([lambda: session.run(together)], seconds))
        callers = [partial(batcher.run, feeds[i % len(feeds)]) for i in range(2 * batch)]
        through.append(calls_per_s(callers, seconds))
    close(batcher)
    return Loaded(median(full), median(through))


def calls_per_s(callers: Sequence[Callable[[], object]], seconds: float) -> float:
    """Return the calls a second of all callers together, each in a thread of its own.

    Raises what a caller raised.
    """
    done, errors = [0] * len(callers), []
    until_s = time.perf_counter() + seconds

    def go(index: int) -> None:
        try:
            while not done[index] or time.perf_counter() < until_s:  # at least once each
                callers[index]()
                done[index] += 1
        except Exception as error:  # noqa: BLE001 - told by the thread that measures
            errors.append(error)

    began_s = time.perf_counter()
    threads = [threading.Thread(target=go, args=(i,)) for i in range(len(callers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return sum(done) / (time.perf_counter() - began_s)


def close(session: Session) -> None:
    """Ends the batcher's thread, where it has one."""
    if (end := getattr(session, "close", None)) is not None:
        end()

"""An engine whose calls end when the test says so, and callers of a batcher over it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from queue import Queue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.batcher import Batcher
from engines.runtimes import TensorInfo

FLOAT = np.dtype(np.float32)
PATIENCE_S = 60.0


class Ended(BaseException):
    """As an interrupt is: no error of the engine."""


class Engine:
    """Doubles its input. ``held``: each call waits for a ``step``; negative images break it."""

    def __init__(self, held: bool = False) -> None:
        self.inputs: Mapping[str, TensorInfo] = {"x": TensorInfo((None, None), FLOAT)}
        self.outputs: Mapping[str, TensorInfo] = {"y": TensorInfo((None, None), FLOAT)}
        self.held = held
        self.batches: list[int] = []
        self.threads: list[int] = []
        self.fed: list[NDArray[Any]] = []
        self.entered: Queue[int] = Queue()
        self.steps = threading.Semaphore(0)
        self.answer: Callable[[NDArray[Any]], NDArray[Any]] = lambda x: x * 2

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        x = feeds["x"]
        self.batches.append(len(x))
        self.threads.append(threading.get_ident())
        self.fed.append(x)
        self.entered.put(len(x))
        if self.held:
            assert self.steps.acquire(timeout=PATIENCE_S)
        if (x < 0).any():
            raise RuntimeError(f"broken by one of {len(x)}")
        return {"y": self.answer(x)}

    def running(self) -> int:
        """Waits until a call has begun that was not told before; its images."""
        return self.entered.get(timeout=PATIENCE_S)

    def step(self, calls: int = 1) -> None:
        self.steps.release(calls)


class Caller(threading.Thread):
    """One call on a thread of its own."""

    def __init__(
        self,
        batcher: Batcher,
        value: float,
        width: int = 3,
        rows: int = 1,
        by_s: float | None = None,
    ) -> None:
        super().__init__(daemon=True)
        self.by_s = by_s
        self.batcher = batcher
        self.x = np.full((rows, width), value, np.float32)
        self.error: BaseException | None = None
        self.y: Any = None

    def run(self) -> None:
        try:
            self.y = self.batcher.run({"x": self.x}, self.by_s)["y"]
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.error = error

    def ended(self) -> None:
        self.join(PATIENCE_S)
        assert not self.is_alive()

    def check(self, times: float = 2) -> None:
        self.ended()
        assert self.error is None
        np.testing.assert_array_equal(self.y, times * self.x)


def queue_up(batcher: Batcher, *callers: Caller) -> None:
    """Starts them in order; returns when all wait and have copied what they feed."""
    for caller in callers:
        before = waiting(batcher)
        caller.start()
        until_s = time.monotonic() + PATIENCE_S
        while waiting(batcher) == before:
            assert time.monotonic() < until_s
            time.sleep(0.001)


def waiting(batcher: Batcher) -> int:
    with batcher._lock:
        return sum(len(each.requests) for each in batcher._queue if not each.copying)


def behind(engine: Engine, batcher: Batcher, *callers: Caller) -> Caller:
    """All callers in order behind a first call that runs."""
    first = Caller(batcher, 100)
    first.start()
    assert engine.running() == 1
    queue_up(batcher, *callers)
    return first

"""What a batcher's callers ask for, and what is put together of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable, Sequence
from typing import Any

from numpy.typing import NDArray

from engines.cuda.around import Around, Kept
from engines.runtimes import Tensors

PATIENCE_S = 1.0  # of who says no deadline, so that those who do are not put before him for ever
Outputs = dict[str, NDArray[Any]]
Answer = Outputs | list[Kept]
Shapes = tuple[tuple[str, tuple[int, ...]], ...]  # without the first axis


class Request:
    """One caller's input and its result.

    ``by_s`` is when that is wanted; ``shapes`` and the rest of ``key`` say whose images may be in
    one call.
    """

    def __init__(
        self, feeds: Tensors, count: int, by_s: float | None, arounds: Sequence[Around] = ()
    ) -> None:
        self.feeds, self.count, self.first = feeds, count, 0
        self.arounds = arounds
        self.by_s = time.monotonic() + PATIENCE_S if by_s is None else by_s
        self.shapes: Shapes = tuple((name, array.shape[1:]) for name, array in feeds.items())
        self.key: Hashable = (self.shapes, arounds[0].key if arounds else None)
        self.outputs: Answer | None = None
        self.error: BaseException | None = None

    def result(self) -> Answer:
        """Return what came, or raise what did."""
        if self.error is not None:
            raise self.error
        assert self.outputs is not None
        return self.outputs


class Batch:
    """Requests of the same key; all but ``done`` is guarded by the batcher's lock.

    ``turn`` wakes the first request, which calls for all.
    """

    def __init__(self, request: Request, lock: threading.Lock) -> None:
        self.requests, self.shapes, self.key = [request], request.shapes, request.key
        self.count, self.by_s = request.count, request.by_s
        self.buffers: Outputs = {}  # of several; one request's arrays are fed as they are
        self.copying = 0
        self.spoiled = False  # a copy was cut off
        self.turn = threading.Condition(lock)
        self.done = threading.Event()

    def add(self, request: Request) -> None:
        """Take in one more; its caller copies what it feeds."""
        request.first = self.count
        self.requests.append(request)
        self.count += request.count
        self.by_s = min(self.by_s, request.by_s)

    def fill(self, request: Request) -> None:
        """Copy what one feeds to its place."""
        rows = slice(request.first, request.first + request.count)
        for name, buffer in self.buffers.items():
            buffer[rows] = request.feeds[name]

    @property
    def feeds(self) -> Tensors:
        """What the call is fed: of one request the very arrays."""
        if len(self.requests) == 1:
            return self.requests[0].feeds
        return {name: buffer[: self.count] for name, buffer in self.buffers.items()}

    @property
    def arounds(self) -> list[Around]:
        """The work around each image; empty where the host does all."""
        return [each for request in self.requests for each in request.arounds]

"""Requests of several threads put together into one call of a session.

There is no thread of its own. Who finds the engine idle calls it himself, at once; who finds it
busy joins the batch that forms meanwhile, and the first of each batch calls for all of it when the
call before ends (flat combining: Hendler, Incze, Shavit and Tzafrir, SPAA 2010).
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.runtimes import FeedError, Session, TensorInfo, Tensors
from engines.runtimes.feeds import check_feeds

KEPT_BUFFERS = 2  # of each shape: of the batch that runs, and of the one that forms
KEPT_SHAPES = 4
Outputs = dict[str, NDArray[Any]]
Shapes = tuple[tuple[int, ...], ...]


class _Request:
    """One caller's input and its result."""

    def __init__(self, feeds: Tensors, count: int) -> None:
        self.feeds, self.count, self.first = feeds, count, 0
        self.outputs: Outputs | None = None
        self.error: BaseException | None = None

    def result(self) -> Outputs:
        if self.error is not None:
            raise self.error
        assert self.outputs is not None
        return self.outputs


class _Batch:
    """Requests of the same shapes; all but ``done`` is guarded by the batcher's lock.

    ``turn`` wakes the first request, which calls for all.
    """

    def __init__(self, request: _Request, shapes: Shapes, lock: threading.Lock) -> None:
        self.requests, self.shapes = [request], shapes
        self.count = request.count
        self.buffers: Outputs = {}  # of several; one request's arrays are fed as they are
        self.copying = 0
        self.spoiled = False  # a copy was cut off
        self.turn = threading.Condition(lock)
        self.done = threading.Event()

    def add(self, request: _Request) -> None:
        request.first = self.count
        self.requests.append(request)
        self.count += request.count

    def fill(self, request: _Request) -> None:
        rows = slice(request.first, request.first + request.count)
        for name, buffer in self.buffers.items():
            buffer[rows] = request.feeds[name]

    @property
    def feeds(self) -> Tensors:
        if len(self.requests) == 1:
            return self.requests[0].feeds
        return {name: buffer[: self.count] for name, buffer in self.buffers.items()}


class Batcher:
    """A session whose callers share its calls; at most one call runs at a time.

    Args:
        session: any number of images along the first axis of each input and output.
        max_batch: the most images of one call.
        wait_ms: the longest that a batch smaller than the last waits for more, while the engine
            stands still. Who finds the engine idle never waits.

    Raises:
        ValueError: ``max_batch`` is below 1, ``wait_ms`` below 0, or an input or output of the
            session has a fixed first axis; names it.
    """

    def __init__(self, session: Session, max_batch: int, wait_ms: float = 2.0) -> None:
        if max_batch < 1:
            raise ValueError(f"max_batch: expected 1 or more, got {max_batch}")
        if not wait_ms >= 0:
            raise ValueError(f"wait_ms: expected 0 or more, got {wait_ms}")
        _any_first_axis(session)
        self.inputs: Mapping[str, TensorInfo] = session.inputs
        self.outputs: Mapping[str, TensorInfo] = session.outputs
        self._session, self._most, self._wait_s = session, max_batch, wait_ms / 1e3
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._queue: deque[_Batch] = deque()
        self._leading: _Batch | None = None  # whose turn it is
        self._busy = self._closed = False
        self._last = 1  # images in the last call
        self._free: dict[Shapes, list[Outputs]] = {}

    def run(self, feeds: Tensors) -> Outputs:
        """As a ``Session``; the outputs may be views of those of the whole batch.

        Raises:
            FeedError: an input is missing, unknown, of another shape or type, or its first axis
                is 0, above ``max_batch``, or not that of the other inputs.
            RuntimeError: the batcher is closed, or the session gives an output whose first axis
                is not the inputs'. What the session raises for these feeds is passed on.
        """
        check_feeds(self.inputs, feeds)
        request = _Request(feeds, self._count(feeds))
        with self._lock:
            if self._closed:
                raise RuntimeError("the batcher is closed")
            if alone := not self._busy:
                self._busy = True
            else:
                batch = self._join(request, tuple(feeds[name].shape[1:] for name in self.inputs))
        if alone:
            try:
                outputs = self._session.run(feeds)
            finally:
                self._hand_over(request.count)
            return self._checked(outputs, request.count)
        if batch.requests[0] is request:
            self._lead(batch)
        else:
            self._copy(batch, request)
            batch.done.wait()
        return request.result()

    def close(self) -> None:
        """Refuses further calls, and returns when those that were made before have run."""
        with self._lock:
            self._closed = True
            if self._leading is not None:
                self._leading.turn.notify()
            while self._busy:
                self._idle.wait()

    def _count(self, feeds: Tensors) -> int:
        count = int(next(iter(feeds.values())).shape[0])
        for name, array in feeds.items():
            if not 1 <= len(array) <= self._most:
                words = f"1 to {self._most} along its first axis, got {len(array)}"
                raise FeedError(f"input {name}: expected {words}")
            if len(array) != count:
                words = f"{count} along its first axis as the others have, got {len(array)}"
                raise FeedError(f"input {name}: expected {words}")
        return count

    def _join(self, request: _Request, shapes: Shapes) -> _Batch:
        """The batch that the request is now in, its last; the lock is held."""
        for batch in self._queue:
            if batch.shapes == shapes and batch.count + request.count <= self._most:
                batch.buffers = batch.buffers or self._buffers(shapes)
                batch.add(request)
                batch.copying += 1
                return batch
        self._queue.append(_Batch(request, shapes, self._lock))
        if self._leading is not None:
            self._leading.turn.notify()  # it keeps no others waiting for its stragglers
        return self._queue[-1]

    def _buffers(self, shapes: Shapes) -> Outputs:
        if free := self._free.get(shapes):
            return free.pop()
        return {
            name: np.empty((self._most, *shape), info.dtype)
            for (name, info), shape in zip(self.inputs.items(), shapes, strict=True)
        }

    def _copy(self, batch: _Batch, request: _Request) -> None:
        """Copies while the call before runs, each caller his own; the second also the first's."""
        whole = False
        try:
            if batch.requests[1] is request:
                batch.fill(batch.requests[0])
            batch.fill(request)
            whole = True
        finally:
            with self._lock:
                batch.copying -= 1
                batch.spoiled |= not whole
                batch.turn.notify()

    def _lead(self, batch: _Batch) -> None:
        """Waits for the batch's turn, runs it, and passes the turn on."""
        outputs: Outputs | None = None
        try:
            try:
                self._gather(batch)
                outputs = self._call(batch)
            finally:
                self._leave(batch)
            if outputs is not None:
                self._split(batch, outputs)
        except BaseException as error:
            for request in batch.requests:
                if request.outputs is None and request.error is None:
                    request.error = RuntimeError(f"the call for several failed: {error!r}")
            raise
        finally:
            batch.done.set()
            self._keep(batch)

    def _gather(self, batch: _Batch) -> None:
        with self._lock:
            while self._leading is not batch:
                batch.turn.wait()
            until_s = time.monotonic() + self._wait_s
            while batch.count < self._last and len(self._queue) == 1 and not self._closed:
                if (left_s := until_s - time.monotonic()) <= 0:
                    break
                batch.turn.wait(left_s)
            self._queue.remove(batch)
            while batch.copying:
                batch.turn.wait()

    def _call(self, batch: _Batch) -> Outputs | None:
        """Return the session's outputs; None if it failed and each request was run alone."""
        if not batch.spoiled:
            try:
                return self._session.run(batch.feeds)
            except Exception as error:  # noqa: BLE001 - passed on to its caller
                if len(batch.requests) == 1:
                    batch.requests[0].error = error
                    return None
        for request in batch.requests:
            try:
                request.outputs = self._checked(self._session.run(request.feeds), request.count)
            except Exception as error:  # noqa: BLE001 - passed on to its caller
                request.error = error
        return None

    def _split(self, batch: _Batch, outputs: Outputs) -> None:
        try:
            self._checked(outputs, batch.count)
        except RuntimeError as error:
            for request in batch.requests:
                request.error = RuntimeError(str(error))
            return
        # A session may give back what it was fed; the buffers are used again.
        for name, array in outputs.items():
            if any(np.may_share_memory(array, buffer) for buffer in batch.buffers.values()):
                outputs[name] = array.copy()
        for request in batch.requests:
            rows = slice(request.first, request.first + request.count)
            request.outputs = {name: array[rows] for name, array in outputs.items()}

    def _checked(self, outputs: Outputs, count: int) -> Outputs:
        for name, array in outputs.items():
            if array.shape[:1] != (count,):
                got = f"got the shape {array.shape}"
                raise RuntimeError(f"output {name}: expected {count} along its first axis, {got}")
        return outputs

    def _leave(self, batch: _Batch) -> None:
        """Passes the turn on; a batch whose leader was cut off while it waited only goes."""
        with self._lock:
            if batch in self._queue:
                self._queue.remove(batch)
            mine = self._leading is batch
        if mine:
            self._hand_over(batch.count)

    def _hand_over(self, count: int) -> None:
        with self._lock:
            self._last = count
            self._leading = self._queue[0] if self._queue else None
            if self._leading is not None:
                self._leading.turn.notify()
            else:
                self._busy = False
                self._idle.notify_all()

    def _keep(self, batch: _Batch) -> None:
        with self._lock:
            if batch.copying or not batch.buffers:
                return
            free = self._free.pop(batch.shapes, [])
            self._free[batch.shapes] = [*free, batch.buffers][:KEPT_BUFFERS]
            while len(self._free) > KEPT_SHAPES:
                del self._free[next(iter(self._free))]


def _any_first_axis(session: Session) -> None:
    """Refuses fixed first axes. An output without axes is one of unknown shape, seen at a call."""
    for kind, infos in (("input", session.inputs), ("output", session.outputs)):
        for name, info in infos.items():
            if (info.shape or kind == "input") and info.shape[:1] != (None,):
                words = f"expected an open first axis for batches, got {info.shape}"
                raise ValueError(f"{kind} {name}: {words}")


class Batchers:
    """The batchers of sessions: one each, shared by all models that run on it, while one does."""

    def __init__(self) -> None:
        self._made: weakref.WeakValueDictionary[int, Batcher] = weakref.WeakValueDictionary()
        self._lock = threading.Lock()

    def of(self, session: Session, max_batch: int) -> Batcher:
        """Return the session's batcher, made on first use."""
        with self._lock:
            # A batcher holds its session, so the number is no other session's while it is here.
            found = self._made.get(id(session))
            if found is None:
                found = self._made[id(session)] = Batcher(session, max_batch)
            return found

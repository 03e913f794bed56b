"""Requests of several threads put together into one call of a session.

There is no thread of its own. Who finds a lane of the engine idle calls it himself, at once; who
finds all busy joins the batch that forms meanwhile, and the first of each batch calls for all of it
when a call before ends (flat combining: Hendler, Incze, Shavit and Tzafrir, SPAA 2010). Of several
batches the one whose result is wanted first goes first.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from engines.batch_requests import Answer, Batch, Outputs, Request, Shapes
from engines.cuda.around import Around, Kept, whole
from engines.runtimes import FeedError, Session, TensorInfo, Tensors
from engines.runtimes.feeds import check_feeds

KEPT_BUFFERS = 2  # of each shape: of the batch that runs, and of the one that forms
KEPT_SHAPES = 4


class Batcher:
    """A session whose callers share its calls.

    Attributes:
        max_batch: as the argument.

    Args:
        session: any number of images along the first axis of each input and output.
        max_batch: the most images of one call.
        wait_ms: the longest that a batch smaller than the last waits for more, while a lane stands
            still, and never so long that it would miss a deadline. Who finds a lane idle never
            waits.
        lanes: calls that run at once.

    Raises:
        ValueError: ``max_batch`` or ``lanes`` is below 1, ``wait_ms`` below 0, or an input or
            output of the session has a fixed first axis; names it.
    """

    def __init__(
        self, session: Session, max_batch: int, wait_ms: float = 2.0, lanes: int = 1
    ) -> None:
        for name, number in (("max_batch", max_batch), ("lanes", lanes)):
            if number < 1:
                raise ValueError(f"{name}: expected 1 or more, got {number}")
        if not wait_ms >= 0:
            raise ValueError(f"wait_ms: expected 0 or more, got {wait_ms}")
        _any_first_axis(session)
        self.inputs: Mapping[str, TensorInfo] = session.inputs
        self.outputs: Mapping[str, TensorInfo] = session.outputs
        self._session, self.max_batch, self._wait_s = session, max_batch, wait_ms / 1e3
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._queue: deque[Batch] = deque()
        self._leading: list[Batch] = []  # whose turn it is
        self._lanes, self._idle_lanes, self._closed = lanes, lanes, False
        self._last = 1  # images in the last call
        self._takes_s = 0.0  # a call, on average of the last few
        self._free: dict[Shapes, list[Outputs]] = {}

    @property
    def works_around(self) -> bool:
        """Whether ``run_around`` can be called; asks the session, which may load kernels."""
        return bool(getattr(self._session, "works_around", False))

    @property
    def gpu(self) -> int:
        """The index of the GPU that the session is on; -1 where it is on none."""
        return int(getattr(self._session, "gpu", -1))

    def run_around(
        self, feeds: Tensors, arounds: Sequence[Around], by_s: float | None = None
    ) -> list[Kept]:
        """Run images with work on the GPU around the network; return what came back of each.

        Args:
            feeds: the inputs that no kernel fills, their first axis as long as ``arounds``.
            arounds: the work for each image; all have one key.
            by_s: as of ``run``.

        Raises:
            as ``run``.
        """
        fed = whole(feeds, arounds, self.inputs)
        check_feeds(self.inputs, fed)
        if (count := self._count(fed)) != len(arounds):
            raise FeedError(f"expected the work around each of {count} images, got {len(arounds)}")
        request = Request(self._in_order(feeds), count, by_s, arounds)
        return cast(list[Kept], self._answer(request))

    def run(self, feeds: Tensors, by_s: float | None = None) -> Outputs:
        """As a ``Session``; the outputs may be views of those of the whole batch.

        Args:
            feeds: as of a session.
            by_s: when the result is wanted, of ``time.monotonic``; None for whenever it comes.

        Raises:
            FeedError: an input is missing, unknown, of another shape or type, or its first axis
                is 0, above ``max_batch``, or not that of the other inputs.
            RuntimeError: the batcher is closed, or the session gives an output whose first axis
                is not the inputs'. What the session raises for these feeds is passed on.
        """
        check_feeds(self.inputs, feeds)
        feeds = self._in_order(feeds)
        return cast(Outputs, self._answer(Request(feeds, self._count(feeds), by_s)))

    def _in_order(self, feeds: Tensors) -> Tensors:
        """Two that feed the same do so in one batch, in whatever order they name it."""
        return {name: feeds[name] for name in self.inputs if name in feeds}

    def _answer(self, request: Request) -> Answer:
        with self._lock:
            if self._closed:
                raise RuntimeError("the batcher is closed")
            if alone := self._idle_lanes > 0 and not self._queue:
                self._idle_lanes -= 1
            else:
                batch = self._join(request)
        if alone:
            started_s = time.monotonic()
            try:
                outputs = self._run(request.feeds, request.arounds)
            finally:
                self._hand_over(request.count, started_s)
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
            for batch in self._leading:
                batch.turn.notify()
            while self._idle_lanes < self._lanes:
                self._idle.wait()

    def _count(self, feeds: Tensors) -> int:
        count = int(next(iter(feeds.values())).shape[0])
        for name, array in feeds.items():
            if not 1 <= len(array) <= self.max_batch:
                words = f"1 to {self.max_batch} along its first axis, got {len(array)}"
                raise FeedError(f"input {name}: expected {words}")
            if len(array) != count:
                words = f"{count} along its first axis as the others have, got {len(array)}"
                raise FeedError(f"input {name}: expected {words}")
        return count

    def _run(self, feeds: Tensors, arounds: Sequence[Around]) -> Answer:
        session: Any = self._session
        answer: Answer = session.run_around(feeds, arounds) if arounds else session.run(feeds)
        return answer

    def _join(self, request: Request) -> Batch:
        """The batch that the request is now in, its last; the lock is held."""
        for batch in self._queue:
            if batch.key == request.key and batch.count + request.count <= self.max_batch:
                batch.buffers = batch.buffers or self._buffers(batch.shapes)
                batch.add(request)
                batch.copying += 1
                return batch
        self._queue.append(made := Batch(request, self._lock))
        for batch in self._leading:
            batch.turn.notify()  # it keeps no others waiting for its stragglers
        if self._idle_lanes > 0:
            self._idle_lanes -= 1
            self._leading.append(made)
        return made

    def _buffers(self, shapes: Shapes) -> Outputs:
        if free := self._free.get(shapes):
            return free.pop()
        return {
            name: np.empty((self.max_batch, *shape), self.inputs[name].dtype)
            for name, shape in shapes
        }

    def _copy(self, batch: Batch, request: Request) -> None:
        """Copies while the call before runs, each caller his own; the second also the first's."""
        is_whole = False
        try:
            if batch.requests[1] is request:
                batch.fill(batch.requests[0])
            batch.fill(request)
            is_whole = True
        finally:
            with self._lock:
                batch.copying -= 1
                batch.spoiled |= not is_whole
                batch.turn.notify()

    def _lead(self, batch: Batch) -> None:
        """Waits for the batch's turn, runs it, and passes the turn on."""
        outputs: Answer | None = None
        try:
            started_s = None
            try:
                self._gather(batch)
                started_s = time.monotonic()
                outputs = self._call(batch)
            finally:
                self._leave(batch, started_s)
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

    def _gather(self, batch: Batch) -> None:
        with self._lock:
            while batch not in self._leading:
                batch.turn.wait()
            until_s = time.monotonic() + self._wait_s
            while batch.count < self._last and len(self._queue) == 1 and not self._closed:
                latest_s = min(until_s, batch.by_s - self._takes_s)
                if (left_s := latest_s - time.monotonic()) <= 0:
                    break
                batch.turn.wait(left_s)
            self._queue.remove(batch)
            while batch.copying:
                batch.turn.wait()

    def _call(self, batch: Batch) -> Answer | None:
        """Return the session's outputs; None if it failed and each request was run alone."""
        if not batch.spoiled:
            try:
                return self._run(batch.feeds, batch.arounds)
            except Exception as error:  # noqa: BLE001 - passed on to its caller
                if len(batch.requests) == 1:
                    batch.requests[0].error = error
                    return None
        for request in batch.requests:
            try:
                outputs = self._run(request.feeds, request.arounds)
                request.outputs = self._checked(outputs, request.count)
            except Exception as error:  # noqa: BLE001 - passed on to its caller
                request.error = error
        return None

    def _split(self, batch: Batch, outputs: Answer) -> None:
        if isinstance(outputs, list):
            for request in batch.requests:
                request.outputs = outputs[request.first : request.first + request.count]
            return
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

    def _checked(self, outputs: Answer, count: int) -> Answer:
        for name, array in outputs.items() if isinstance(outputs, dict) else ():
            if array.shape[:1] != (count,):
                got = f"got the shape {array.shape}"
                raise RuntimeError(f"output {name}: expected {count} along its first axis, {got}")
        return outputs

    def _leave(self, batch: Batch, started_s: float | None) -> None:
        """Passes the turn on; a batch whose leader was cut off while it waited only goes."""
        with self._lock:
            if batch in self._queue:
                self._queue.remove(batch)
            if mine := batch in self._leading:
                self._leading.remove(batch)
        if mine:
            self._hand_over(batch.count, started_s)

    def _hand_over(self, count: int, started_s: float | None) -> None:
        """Give a lane to the batch that is wanted first; note the call that had it, if one did."""
        with self._lock:
            self._last = count
            if started_s is not None:
                self._takes_s += (time.monotonic() - started_s - self._takes_s) / 8
            waiting = [batch for batch in self._queue if batch not in self._leading]
            if waiting:
                following = min(waiting, key=lambda batch: batch.by_s)
                self._leading.append(following)
                following.turn.notify()
            else:
                self._idle_lanes += 1
                self._idle.notify_all()

    def _keep(self, batch: Batch) -> None:
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
                lanes = getattr(session, "lanes", 1)
                found = self._made[id(session)] = Batcher(session, max_batch, lanes=lanes)
            return found

"""Calls of many threads in one: a session that puts what waits into a batch.

Whoever finds the engine idle runs at once, on his own thread. While it runs others queue up; when
it is done, the longest waiting leads the next batch and takes along whoever asks for the same
shapes. An idle engine therefore costs no wait, and a busy one fills its batches by itself.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.runtimes import Session, TensorInfo, Tensors
from engines.runtimes.feeds import check_feeds

Outputs = dict[str, NDArray[Any]]


class _Call:
    """One caller's request."""

    def __init__(self, feeds: Tensors) -> None:
        self.feeds = feeds
        self.size = next(iter(feeds.values())).shape[0]
        self.group = tuple((name, feeds[name].shape[1:]) for name in sorted(feeds))
        self.outputs: Outputs | None = None
        self.error: Exception | None = None

    @property
    def is_done(self) -> bool:
        return self.outputs is not None or self.error is not None


class Batcher:
    """A session over a session. ``run`` may be called by any number of threads.

    Args:
        session: every input and output has a first axis that is open, the batch.
        max_batch: most pictures in one call of it.
        wait_ms: longest that a leader waits for others, and only where the last batch was larger
            than what waits now.

    Raises:
        ValueError: ``max_batch`` is below 1, or a tensor has no open first axis; names it.
    """

    def __init__(self, session: Session, max_batch: int, wait_ms: float = 2.0) -> None:
        if max_batch < 1:
            raise ValueError(f"max_batch: expected >= 1, got {max_batch}")
        for kind, infos in (("input", session.inputs), ("output", session.outputs)):
            for name, info in infos.items():
                if not info.shape or info.shape[0] is not None:
                    raise ValueError(
                        f"{kind} {name}: expected an open first axis for batches, got {info.shape}"
                    )
        self.inputs: Mapping[str, TensorInfo] = session.inputs
        self.outputs: Mapping[str, TensorInfo] = session.outputs
        self._session, self._max_batch, self._wait_s = session, max_batch, wait_ms / 1e3
        self._changed = threading.Condition()
        self._waiting: deque[_Call] = deque()
        self._is_led = False
        self._is_closed = False
        self._last = 1  # calls in the batch before
        # Only the leader of the moment touches them.
        self._buffers: dict[tuple[Any, ...], dict[str, NDArray[Any]]] = {}

    def run(self, feeds: Tensors) -> Outputs:
        """Every output by name, of this caller's pictures.

        Raises:
            FeedError: the feeds do not fit; no other caller is touched by it.
            RuntimeError: the batcher is closed, or the session's own.
            ValueError: more pictures than ``max_batch``.
        """
        check_feeds(self.inputs, feeds)
        call = _Call(feeds)
        if call.size > self._max_batch:
            raise ValueError(f"batch: expected at most {self._max_batch}, got {call.size}")
        with self._changed:
            if self._is_closed:
                raise RuntimeError("the batcher is closed")
            self._waiting.append(call)
            self._changed.notify_all()
            while not call.is_done and (self._is_led or self._waiting[0] is not call):
                self._changed.wait()
            if not call.is_done:
                self._is_led = True
                batch = self._gather(call)
        if not call.is_done:
            self._lead(batch)
        if call.error is not None:
            raise call.error
        assert call.outputs is not None
        return call.outputs

    def close(self) -> None:
        """Takes no more calls, and waits for those that it has."""
        with self._changed:
            self._is_closed = True
            self._changed.wait_for(lambda: not self._is_led and not self._waiting)

    def _gather(self, first: _Call) -> list[_Call]:
        """The calls of the next batch, taken out of the queue; under the lock."""
        until_s = time.monotonic() + self._wait_s
        while True:
            batch, size = [], 0
            for call in self._waiting:
                if call.group == first.group and size + call.size <= self._max_batch:
                    batch.append(call)
                    size += call.size
            left_s = until_s - time.monotonic()
            if len(batch) >= self._last or size == self._max_batch or left_s <= 0:
                break
            self._changed.wait(left_s)
        self._last = len(batch)
        self._waiting = deque(call for call in self._waiting if call not in batch)
        return batch

    def _lead(self, batch: Sequence[_Call]) -> None:
        """Runs a batch and hands everybody his part."""
        try:
            self._run(batch)
        finally:  # also when this thread is ended: nobody may wait for ever
            with self._changed:
                for call in batch:
                    if not call.is_done:
                        call.error = RuntimeError("the thread that led the batch was ended")
                self._is_led = False
                self._changed.notify_all()

    def _run(self, batch: Sequence[_Call]) -> None:
        try:
            self._hand_out(batch, self._session.run(self._join(batch)))
        except Exception as error:  # noqa: BLE001 it is raised again where the call came from
            if len(batch) == 1:
                batch[0].error = error
                return
            for call in batch:  # who is to blame? The others shall not pay for it.
                self._run([call])

    def _join(self, batch: Sequence[_Call]) -> Tensors:
        """The feeds of all, one behind the other, in buffers that stay."""
        if len(batch) == 1:
            return batch[0].feeds
        size = sum(call.size for call in batch)
        key = (batch[0].group, size)
        if key not in self._buffers:
            self._buffers[key] = {
                name: np.empty((size, *array.shape[1:]), array.dtype)
                for name, array in batch[0].feeds.items()
            }
        joined = self._buffers[key]
        for name, target in joined.items():
            np.concatenate([call.feeds[name] for call in batch], out=target)
        return joined

    def _hand_out(self, batch: Sequence[_Call], outputs: Mapping[str, NDArray[Any]]) -> None:
        size = sum(call.size for call in batch)
        for name, array in outputs.items():
            if array.shape[:1] != (size,):
                raise RuntimeError(
                    f"output {name}: expected {size} pictures along its first axis, "
                    f"got {array.shape}"
                )
        start = 0
        for call in batch:
            stop = start + call.size
            call.outputs = {name: array[start:stop] for name, array in outputs.items()}
            start = stop


_batchers: weakref.WeakValueDictionary[int, Batcher] = weakref.WeakValueDictionary()
_batchers_lock = threading.Lock()


def batcher_of(session: Session, max_batch: int) -> Batcher:
    """The one batcher of a session, shared by all models that run on it, as long as one does."""
    with _batchers_lock:
        # A batcher holds its session, so the number is no other session's while it is here.
        found = _batchers.get(id(session))
        if found is None:
            found = _batchers[id(session)] = Batcher(session, max_batch)
        return found

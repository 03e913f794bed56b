"""Processor time of the threads that work for one camera alone."""

from __future__ import annotations

import threading
import time
from collections import deque

OVER_S = 10.0


class ThreadTimes:
    """Adds up the time of threads from when they begin to work for a camera until they cease to.
    Safe between threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._began: dict[int, float] = {}  # seconds that a thread had taken before
        self._newest: dict[int, float] = {}
        self._done_s = 0.0
        self._samples: deque[tuple[float, float]] = deque()  # when, and seconds taken till then

    def enter(self) -> None:
        """Count this thread from now on; a second call changes nothing."""
        with self._lock:
            thread = threading.get_native_id()
            if thread not in self._began:
                self._began[thread] = self._newest[thread] = time.thread_time()

    def leave(self) -> None:
        """Count this thread no longer; what it has taken stays counted."""
        with self._lock:
            thread = threading.get_native_id()
            if thread in self._began:
                self._newest[thread] = time.thread_time()
                self._close(thread)

    def seconds(self) -> float:
        """Return what all have taken so far."""
        with self._lock:
            for thread in list(self._began):
                try:
                    self._newest[thread] = time.clock_gettime(_clock_of(thread))
                except OSError:  # it has ended
                    self._close(thread)
            running_s = sum(self._newest[thread] - began for thread, began in self._began.items())
            return self._done_s + running_s

    def percent(self) -> float | None:
        """Return what they take of a core, over the last ``OVER_S`` or a little more; None until
        that is known.
        """
        now_s, seconds = time.monotonic(), self.seconds()
        with self._lock:
            self._samples.append((now_s, seconds))
            while len(self._samples) > 1 and now_s - self._samples[1][0] >= OVER_S:
                self._samples.popleft()
            before_s, before = self._samples[0]
        return 100 * (seconds - before) / (now_s - before_s) if now_s - before_s >= 1 else None

    def _close(self, thread: int) -> None:
        self._done_s += self._newest.pop(thread) - self._began.pop(thread)


def _clock_of(thread: int) -> int:
    """Return Linux' clock of the processor time of a thread of this process, by its kernel ID."""
    per_thread, scheduled = 4, 2
    return ~thread << 3 | per_thread | scheduled

"""Give memory back to the system that lost graphs leave free in the heaps of their threads."""

from __future__ import annotations

import ctypes
import threading
import time

EVERY_S = 30.0  # it takes some 10 ms, in which other threads may wait for memory

_lock = threading.Lock()
_last = [float("-inf")]  # monotonic seconds
_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc alone


def give_back() -> bool:
    """Trim the heaps, at most every ``EVERY_S`` seconds; return whether that was done now."""
    with _lock:
        now_s = time.monotonic()
        if _trim is None or now_s - _last[0] < EVERY_S:
            return False
        _last[0] = now_s
    _trim(0)
    return True

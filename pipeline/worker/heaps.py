"""The heaps of this process: as many as cores, whatever threads come and go."""

from __future__ import annotations

import ctypes
import os

_M_ARENA_MAX = -8  # of mallopt(3)
_LEAST = 2


def limit_heaps() -> bool:
    """Bound the number of heaps that glibc's malloc opens; return whether that was done.

    By default each new thread may open one, up to 8 for each core. The threads of a graph end with
    it, and what their heaps hold back is scattered over all of them: a worker whose cameras
    reconnect all the time grew by 20 MiB an hour while what it used stayed the same. It is to be
    called before there are threads. ``MALLOC_ARENA_MAX`` in the environment goes before it.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # of glibc alone
    if mallopt is None or "MALLOC_ARENA_MAX" in os.environ:
        return False
    return bool(mallopt(_M_ARENA_MAX, max(_LEAST, os.cpu_count() or 1)))

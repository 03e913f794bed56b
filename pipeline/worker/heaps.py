"""The heaps of this process: as many as cores, whatever threads come and go."""

from __future__ import annotations

import ctypes
import os

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # of mallopt(3)
_LEAST = 2
_LARGE = 256 << 10  # bytes: tensors and frames; a frame's small parts are less


def limit_heaps() -> bool:
    """Bound the heaps that glibc's malloc opens, and what they hold; return whether that was done.

    By default each new thread may open one, up to 8 for each core, and once a large block was freed
    those of up to 32 MiB come out of them too. The threads of a graph end with it, and what they
    held leaves holes: a worker whose cameras reconnect all the time grew by 20 MiB an hour, with
    models by more, while what it used stayed the same. So there are as many heaps as cores, and a
    large block is always one of its own, which goes back to the system. It is to be called before
    there are threads. ``MALLOC_ARENA_MAX`` and ``MALLOC_MMAP_THRESHOLD_`` go before it.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # of glibc alone
    if mallopt is None:
        return False
    wanted = {
        "MALLOC_ARENA_MAX": (_M_ARENA_MAX, max(_LEAST, os.cpu_count() or 1)),
        "MALLOC_MMAP_THRESHOLD_": (_M_MMAP_THRESHOLD, _LARGE),
    }
    done = [mallopt(*what) for name, what in wanted.items() if name not in os.environ]
    return all(done)

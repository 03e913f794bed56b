"""What this process holds of each GPU's memory: counted as it is taken, and bounded."""

from __future__ import annotations

import threading
from collections import Counter

MIB = 2**20


class FullError(RuntimeError):
    """What is asked for goes beyond what this process may hold of a GPU's memory."""


class Held:
    """Bytes of GPU memory by GPU and use, and of page-locked memory that GPUs reach.

    Safe between threads. What the libraries take for themselves (engines' weights, kernels) is not
    in it but for what is said with ``add``.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a surface may be freed inside any step of Python
        self._bytes: Counter[tuple[int, str]] = Counter()
        self._most: int | None = None

    def allow(self, most: int | None) -> None:
        """Bound what is held of each GPU: ``most`` bytes, None for what the GPU has."""
        with self._lock:
            self._most = most

    def add(self, gpu: int, use: str, size: int) -> None:
        """Count ``size`` bytes more, or with a negative number, fewer.

        Args:
            gpu: its index.
            use: what for, such as ``lanes``; ``pinned`` is host memory, which has no bound.
            size: bytes.

        Raises:
            FullError: it would be more than is allowed; nothing is counted.
        """
        with self._lock:
            if size > 0 and self._most is not None and use != PINNED:
                there = sum(
                    n for (at, kind), n in self._bytes.items() if at == gpu and kind != PINNED
                )
                if there + size > self._most:
                    raise FullError(
                        f"GPU {gpu}: {there / MIB:.1f} MiB are held, and {size / MIB:.1f} more go "
                        f"beyond engine.gpu_memory_mib: {self._most // MIB}; raise that, or run "
                        "fewer or smaller models on this GPU"
                    )
            self._bytes[gpu, use] += size

    def now(self) -> dict[str, dict[str, int]]:
        """Return bytes by use by index of GPU; uses of which nothing is held are left out."""
        with self._lock:
            found: dict[str, dict[str, int]] = {}
            for (gpu, use), size in sorted(self._bytes.items()):
                if size:
                    found.setdefault(str(gpu), {})[use] = size
            return found


PINNED = "pinned"
held = Held()  # the process's

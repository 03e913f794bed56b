"""The newest results of a camera, as they were published, for the clips that begin before now."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

SHARE = 4  # of a camera's memory for clips, results get one part in so many


class Published(NamedTuple):
    """The result of one frame, as on the wire.

    Attributes:
        captured_ns: Unix time of capture.
        detections: field ``json`` of its ``detections`` entry.
        masks: fields of its ``masks`` entry; None without.
    """

    captured_ns: int
    detections: bytes
    masks: Mapping[str, bytes] | None

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        return len(self.detections) + sum(map(len, (self.masks or {}).values()))


class KeptResults:
    """Numbered for ever; the oldest go for want of time or room. Safe between threads.

    Args:
        span_s: seconds that they are kept.
        max_bytes: maximum size of all.

    Attributes:
        newest_ns: Unix time of capture of the newest; 0 before the first.
    """

    def __init__(self, span_s: float, max_bytes: int) -> None:
        self._span_ns, self._max_bytes = round(span_s * 1e9), max_bytes
        self._kept: deque[Published] = deque()
        self._first, self._bytes = 0, 0
        self._lock = threading.Lock()
        self.newest_ns = 0

    def put(self, result: Published) -> None:
        """Add the next result."""
        with self._lock:
            self._kept.append(result)
            self._bytes += result.size
            self.newest_ns = result.captured_ns
            oldest_ns = result.captured_ns - self._span_ns
            while self._kept[0].captured_ns < oldest_ns or self._bytes > self._max_bytes:
                self._bytes -= self._kept.popleft().size
                self._first += 1
                if not self._kept:
                    return

    def after(self, number: int) -> tuple[list[Published], int]:
        """Return the results from a number on that are there, and the number of the next."""
        with self._lock:
            skipped = max(0, number - self._first)
            return list(self._kept)[skipped:], self._first + len(self._kept)

"""When what is found in a camera's frames is wanted: before its next frame comes."""

from __future__ import annotations

import time
from collections import deque

_FRAMES = 4  # whose distances count: the shortest, as frames between them may have been dropped
_LONGEST_S = 1.0  # of a distance; what is further apart waits for others as if nobody had said


class Pace:
    """The pace of one camera's frames, by the times at which they were captured."""

    def __init__(self) -> None:
        self._last_ns = 0
        self._apart_s: deque[float] = deque(maxlen=_FRAMES)

    def by_s(self, captured_ns: int) -> float | None:
        """Return by when the result of a frame that came now is wanted, of ``time.monotonic``; None
        while the pace is not known.

        Args:
            captured_ns: Unix time of the frame.
        """
        apart_s, self._last_ns = (captured_ns - self._last_ns) / 1e9, captured_ns
        if 0 < apart_s <= _LONGEST_S:
            self._apart_s.append(apart_s)
        else:  # the first, or after a break
            self._apart_s.clear()
        return time.monotonic() + min(self._apart_s) if self._apart_s else None

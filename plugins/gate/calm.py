"""What a camera's gate and its decoder tell each other."""

from __future__ import annotations

from collections import deque

LONG_S = 5.0  # without anything, after which it is quiet
_STALE_S = 6.0  # without a verdict: the stages hang, or the gate is gone


class Calm:
    """For how long a gate has seen nothing. Written by its thread, read by that of the decoder.

    Attributes:
        alone: keys of the newest frames that were decoded alone, those between them not, and in
            which nothing moves.
    """

    def __init__(self) -> None:
        self.alone: deque[int] = deque(maxlen=4)
        self._newest_s = self._stirred_s = float("-inf")

    def noted(self, is_quiet: bool, now_s: float) -> None:
        """Note what the gate decided about a frame at a monotonic time."""
        self._newest_s = now_s
        if not is_quiet:
            self._stirred_s = now_s

    def is_long(self, now_s: float) -> bool:
        """Return whether nothing has happened for long enough to sleep."""
        return now_s - self._stirred_s >= LONG_S and now_s - self._newest_s < _STALE_S

"""Back off: choose how long to wait before the next try."""

from __future__ import annotations

import random
from collections.abc import Callable


class Backoff:
    """Waits that double from ``first_s`` to ``most_s``, each shortened at random.

    The jitter keeps many clients of one server from coming back in step.

    Args:
        first_s: the shortest wait, before jitter.
        most_s: the longest wait.
        jitter: maximum share by which a wait is shortened.
        uniform: random numbers in 0..1.
    """

    def __init__(
        self,
        first_s: float = 0.05,
        most_s: float = 1.0,
        jitter: float = 0.5,
        uniform: Callable[[], float] = random.random,
    ) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._jitter = jitter
        self._uniform = uniform
        self._next_s = first_s

    def next_s(self) -> float:
        """Return the next wait; the one after it is twice as long."""
        wait_s, self._next_s = self._next_s, min(self._most_s, self._next_s * 2)
        return self.shortened(wait_s)

    def shortened(self, wait_s: float) -> float:
        """Return a wait of another length with this one's jitter."""
        return wait_s * (1 - self._jitter + self._jitter * self._uniform())

    def reset(self) -> None:
        """Begin again with the shortest wait."""
        self._next_s = self._first_s

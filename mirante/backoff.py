"""Back off: choose how long to wait before the next try."""

from __future__ import annotations

import random


class Backoff:
    """Waits that double from ``first_s`` to ``most_s``, each shortened by up to half at random.

    The jitter keeps many clients of one server from coming back in step.
    """

    def __init__(self, first_s: float = 0.05, most_s: float = 1.0) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._next_s = first_s

    def next_s(self) -> float:
        """The next wait."""
        wait_s, self._next_s = self._next_s, min(self._most_s, self._next_s * 2)
        return wait_s * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing

    def reset(self) -> None:
        """Begins again with the shortest wait."""
        self._next_s = self._first_s

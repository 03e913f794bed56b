"""Pauses of a busy machine, noted while a test measures."""

from __future__ import annotations

import threading
import time

_WAIT_S = 0.01


class Stalls:
    """How long this machine kept a thread waiting that was due: a bound on what can be asked.

    Attributes:
        pauses: of each the Unix seconds at which it ended, and how long it was.
    """

    def __init__(self) -> None:
        self.pauses: list[tuple[float, float]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    @property
    def longest_s(self) -> float:
        """The longest of them."""
        return max((seconds for _, seconds in self.pauses), default=0.0)

    def _watch(self) -> None:
        due_s = time.monotonic() + _WAIT_S
        while not self._over.wait(_WAIT_S):
            if (late_s := time.monotonic() - due_s) > _WAIT_S:
                self.pauses.append((time.time(), late_s))
            due_s = time.monotonic() + _WAIT_S

    def close(self) -> None:
        """Note no more."""
        self._over.set()
        self._thread.join()


def paused_s(pauses: list[tuple[float, float]], begin_s: float, end_s: float) -> float:
    """Return how much of the time between two moments, Unix seconds, was pauses."""
    return sum(
        max(0.0, min(at_s, end_s) - max(at_s - seconds, begin_s)) for at_s, seconds in pauses
    )

"""A few frames as a model saw them, spread over time, for calibration and parity."""

from __future__ import annotations

import threading
import time

import numpy as np
from numpy.typing import NDArray


class Samples:
    """Takes a copy of a frame now and then, until it has enough. Safe to use from any thread.

    Args:
        count: enough.
        every_s: minimum seconds between two, as neighbours show the same.
        only_found: offer only those in which the model finds something.
    """

    def __init__(self, count: int, every_s: float, only_found: bool = False) -> None:
        self.only_found = only_found
        self._count, self._every_s = count, every_s
        self._taken: list[NDArray[np.uint8]] = []
        self._due_s = 0.0
        self._lock = threading.Lock()
        self._full = threading.Event()

    def is_due(self) -> bool:
        """Return whether an image that is offered now would be taken."""
        return time.monotonic() >= self._due_s and not self._full.is_set()

    def offer(self, rgb: NDArray[np.uint8]) -> None:
        """Copies the (height, width, 3) uint8 RGB image when one is due."""
        with self._lock:
            if not self.is_due():
                return
            self._due_s = time.monotonic() + self._every_s
            self._taken.append(rgb.copy())
            if len(self._taken) >= self._count:
                self._full.set()

    def wait(self, timeout_s: float) -> bool:
        """Wait for enough samples; return whether they came in time."""
        return self._full.wait(timeout_s)

    @property
    def share(self) -> float:
        """Of enough, 0 to 1."""
        return min(len(self._taken) / self._count, 1.0)

    def taken(self) -> list[NDArray[np.uint8]]:
        """Return the samples taken so far."""
        with self._lock:
            return list(self._taken)

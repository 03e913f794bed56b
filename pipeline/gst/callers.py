"""The senders that call an SRT listener: one is heard, another may take a dead one's place."""

from __future__ import annotations

import time
from typing import Any

DEAD_S = 1.0  # without a byte for this long while another calls


class Callers:
    """One sender at a time.

    srtsrc hears the first alone until SRT has given it up, 5 s after its last packet; one that
    called meanwhile would be connected and lost. So another is refused, to call again; and when the
    first has fallen silent the attempt ends, to make room.

    Args:
        element: the srtsrc, which this does not refer to.
    """

    def __init__(self, element: Any) -> None:
        self._is_taken = False
        self._bytes = 0
        self._moved_s = time.monotonic()
        self._called_s = float("-inf")
        element.connect("caller-added", self._on_added)
        element.connect("caller-connecting", self._on_connecting)

    def is_over(self, element: Any) -> bool:
        """Return whether the sender has fallen silent while another called."""
        now_s = time.monotonic()
        received = element.get_property("stats").get_value("bytes-received-total")
        if received != self._bytes:
            self._bytes, self._moved_s = received, now_s
        return self._called_s > self._moved_s and now_s - self._moved_s > DEAD_S

    def _on_added(self, *_caller: Any) -> None:
        self._is_taken = True

    def _on_connecting(self, *_caller: Any) -> bool:
        if self._is_taken:
            self._called_s = time.monotonic()
        return not self._is_taken

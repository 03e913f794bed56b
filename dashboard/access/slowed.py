"""Slow down guesses at one name, from however many addresses they come.

After ``FREE`` failures each further try of a name waits twice as long as the one before, at most
``LONGEST_S``, and refused tries count nothing here: whoever waits that long may try. Tries by
somebody who was known before (an address or a browser that logged in) are counted apart, so that
strangers who guess at a name delay its owner only where the owner is a stranger too.

Names that exist and names that do not are treated alike, and memory is bounded whatever is tried:
counts stand in ``SLOTS`` places chosen by a keyed hash, so nobody can aim at another's.
"""

from __future__ import annotations

import hashlib
import math
import secrets
import time

FREE = 10
LONGEST_S = 30.0
FORGET_S = 900.0  # without a failure
SLOTS = 1 << 14


class Slowed:
    """Failures by name. Held in memory."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(16)
        self._failures: dict[int, tuple[int, float]] = {}  # by slot: how many, the last's Unix s

    def begin(self, name: str, known: str) -> int:
        """Count a try, as a failure until ``succeeded``.

        Args:
            name: of the user.
            known: by what they were known before; empty for a stranger.

        Returns:
            0, or the whole seconds to wait: it was not counted and must not be tried.
        """
        slot, now_s = self._slot(name, known), time.time()
        failures, last_s = self._failures.get(slot, (0, now_s))
        if now_s - last_s > FORGET_S:
            failures = 0
        wait_s = min(LONGEST_S, 2.0 ** (failures - FREE)) if failures >= FREE else 0.0
        left_s = min(wait_s, last_s + wait_s - now_s)  # less than all, if the clock was set back
        if left_s > 0:
            return math.ceil(left_s)
        self._failures[slot] = (failures + 1, now_s)
        return 0

    def succeeded(self, name: str, known: str) -> None:
        """Take a try back."""
        slot = self._slot(name, known)
        failures, last_s = self._failures.pop(slot, (0, 0.0))
        if failures > 1:
            self._failures[slot] = (failures - 1, last_s)

    def _slot(self, name: str, known: str) -> int:
        said = f"{known}\n{name}".encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(said, key=self._key, digest_size=8).digest()
        return int.from_bytes(digest) % SLOTS

"""Slow down guesses at one name, from however many addresses they come.

After ``FREE`` failures each further try of a name waits twice as long as the one before, at most
``LONGEST_S``; tries that were refused count nothing here. So that strangers who guess at a name
hardly delay its owner,

- tries by somebody who was known before (an address or a browser that logged in) count apart, and
- an address that has not failed at the name need not wait for its first try, as long as there are
  fewer of them than ``NEW_ADDRESSES``, and one in ``LONGEST_S`` more.

Names that exist and names that do not are treated alike, and memory is bounded whatever is tried:
counts stand in ``SLOTS`` places chosen by a keyed hash, so nobody can aim at another's.
"""

from __future__ import annotations

import hashlib
import math
import secrets
import time
from dataclasses import dataclass

FREE = 10
LONGEST_S = 30.0
FORGET_S = 900.0  # without a failure
NEW_ADDRESSES = 50
SLOTS = 1 << 14


@dataclass(slots=True)
class _Count:
    """Failures of one name.

    Attributes:
        failures: so many, one after the other.
        last_s: Unix seconds of the last.
        new: addresses that have not failed and need not wait.
        at_s: Unix seconds at which there were so many.
    """

    failures: int
    last_s: float
    new: float
    at_s: float

    def pass_time(self, now_s: float) -> None:
        """Forget failures, and let new addresses in again."""
        if now_s - self.last_s > FORGET_S:
            self.failures = 0
        self.new = min(NEW_ADDRESSES, self.new + max(0.0, now_s - self.at_s) / LONGEST_S)
        self.at_s = now_s

    def wait_s(self, now_s: float) -> float:
        """Return the seconds until the next try; less than all, if the clock was set back."""
        if self.failures < FREE:
            return 0.0
        whole_s = min(LONGEST_S, 2.0 ** min(self.failures - FREE, 30))
        return min(whole_s, self.last_s + whole_s - now_s)


class Slowed:
    """Failures by name. Held in memory."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(16)
        self._counts: dict[int, _Count] = {}  # by slot of name
        self._failed: dict[int, float] = {}  # by slot of name and address: Unix s of the last

    def begin(self, name: str, known: str, address: str) -> int:
        """Count a try, as a failure until ``succeeded``.

        Args:
            name: of the user.
            known: by what they were known before; empty for a stranger.
            address: of the client.

        Returns:
            0, or the whole seconds to wait: it was not counted and must not be tried.
        """
        now_s = time.time()
        count = self._counts.get(self._slot(name, known)) or _Count(0, now_s, NEW_ADDRESSES, now_s)
        count.pass_time(now_s)
        place = self._slot(name, known, address)
        is_new = not 0 <= now_s - self._failed.get(place, float("-inf")) <= FORGET_S
        if (wait_s := count.wait_s(now_s)) > 0:
            if not is_new or count.new < 1:
                return math.ceil(wait_s)
            count.new -= 1
        count.failures, count.last_s = count.failures + 1, now_s
        self._counts[self._slot(name, known)] = count
        self._failed[place] = now_s
        return 0

    def succeeded(self, name: str, known: str, address: str) -> None:
        """Take a try back."""
        self._failed.pop(self._slot(name, known, address), None)
        if (count := self._counts.get(self._slot(name, known))) is not None:
            count.failures = max(0, count.failures - 1)

    def _slot(self, *said: str) -> int:
        text = "\n".join(said).encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(text, key=self._key, digest_size=8).digest()
        return int.from_bytes(digest) % SLOTS

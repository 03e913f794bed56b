"""Proof of loss: the publisher numbers what it hands to Redis, so a consumer can count."""

from __future__ import annotations

from typing import NamedTuple

from mirante.frame import Counts, FrameResult

_EPOCHS = 64  # that are remembered: restarts, and publishers that take turns


class Tally(NamedTuple):
    """The number of frames that a camera had handed on, as of one of them.

    Attributes:
        epoch: when the counting began, Unix ms.
        handed: frames handed to the outbox so far, this one included. A frame that the outbox
            loses moves from ``published`` to ``dropped["outbox"]`` in later messages, so only
            their sum grows by exactly one from each frame to the next.
    """

    epoch: int
    handed: int

    @classmethod
    def of(cls, result: FrameResult) -> Tally:
        """The tally that a frame carries."""
        return cls(result.epoch, handed(result.counts))

    def missing_before(self, later: Tally) -> int:
        """Frames between this one and a later one. Behind a restart, those since the restart."""
        if later.epoch == self.epoch:
            return max(0, later.handed - self.handed - 1)
        return max(0, later.handed - 1)


_NEVER = Tally(-1, -1)


class Account:
    """The newest tally of each epoch of one stream.

    An epoch that was there before goes on where it was: two publishers that take turns are no
    losses. One that is new counts from its beginning.

    Args:
        seen: tallies, in order.
    """

    def __init__(self, *seen: Tally) -> None:
        self._newest: dict[int, Tally] = {}
        for tally in seen:
            self.note(tally)

    def note(self, tally: Tally) -> None:
        """Takes a tally as the newest of its epoch."""
        self._newest.pop(tally.epoch, None)
        self._newest[tally.epoch] = tally
        if len(self._newest) > _EPOCHS:
            del self._newest[next(iter(self._newest))]

    def missing_before(self, tally: Tally) -> int:
        """Frames that are missing before this one; none before the first of all."""
        newest = next(reversed(self._newest.values()), None)
        before = self._newest.get(tally.epoch, newest)
        return before.missing_before(tally) if before else 0

    def raise_to(self, tally: Tally) -> None:
        """Takes note of a tally that another reader has seen, where it is beyond what was here."""
        if tally > self._newest.get(tally.epoch, _NEVER):
            self.note(tally)

    def __bool__(self) -> bool:
        """True when a tally is known."""
        return bool(self._newest)


def handed(counts: Counts) -> int:
    """Frames handed to the outbox: those published, and those it lost."""
    return counts.published + counts.dropped.get("outbox", 0)

"""Proof of loss: the publisher numbers what it hands to Redis, so a consumer can count."""

from __future__ import annotations

from typing import NamedTuple

from mirante.frame import Counts, FrameResult


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
        return max(0, later.handed - 1) if later.epoch > self.epoch else 0


def handed(counts: Counts) -> int:
    """Frames handed to the outbox: those published, and those it lost."""
    return counts.published + counts.dropped.get("outbox", 0)

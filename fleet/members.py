"""The workers of a fleet: which of them work, as their beats say, and what they offer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fleet.placing import Offer
from pipeline.control.beats import BEAT_S, Beat

LOST_S = 3 * BEAT_S  # without a new beat a worker was killed, is frozen, or is cut off
SETTLE_S = 3.0  # that a worker works before cameras move there for balance alone
FORGOTTEN_S = 600.0  # after which one that is gone is no longer shown


@dataclass(slots=True)
class Member:
    """A worker of the fleet.

    Attributes:
        beat: its newest.
        beaten_s: when that was first seen, by the keeper's clock.
        since_s: since when it has worked without a break.
    """

    beat: Beat
    beaten_s: float
    since_s: float


class Members:
    """Follows the beats. What is compared is the keeper's own clock alone.

    Args:
        lost_s: seconds without a new beat after which a worker is lost.

    Attributes:
        known: all workers by name, those too that are gone.
        alive: names of those that work.
        drained: of these, those that are to have no cameras.
    """

    def __init__(self, lost_s: float = LOST_S) -> None:
        self._lost_s = lost_s
        self.known: dict[str, Member] = {}
        self.alive: frozenset[str] = frozenset()
        self.drained: frozenset[str] = frozenset()
        self._looked_s = float("-inf")

    def follow(self, beats: Mapping[str, Beat], drained: frozenset[str], now_s: float) -> bool:
        """Take what Redis holds; return whether that changes what the workers offer.

        Args:
            beats: by worker.
            drained: names of workers and nodes.
            now_s: by the keeper's clock.
        """
        was_away = now_s - self._looked_s > self._lost_s / 2
        before = (self.alive, self.drained)
        is_new = False
        for worker, beat in beats.items():
            member = self.known.get(worker)
            if member is None or member.beat.run != beat.run:
                self.known[worker] = Member(beat, now_s, now_s)
                is_new = True
                continue
            if was_away or beat.number != member.beat.number:
                if now_s - member.beaten_s > self._lost_s and not was_away:
                    member.since_s = now_s
                member.beat, member.beaten_s = beat, now_s
        if was_away:  # nobody looked: those that are missing have the time to come again
            for member in self.known.values():
                member.beaten_s = now_s
        self._looked_s = now_s
        self.alive = frozenset(
            worker
            for worker, member in self.known.items()
            if now_s - member.beaten_s <= self._lost_s and not _ended(member.beat, beats, worker)
        )
        self.drained = frozenset(
            worker
            for worker in self.alive
            if {worker, self.known[worker].beat.node} & drained or self.known[worker].beat.leaves
        )
        return is_new or (self.alive, self.drained) != before

    def forgotten(self, now_s: float) -> list[str]:
        """Forget workers that have been gone for long; return them."""
        gone = [w for w, m in self.known.items() if now_s - m.beaten_s > FORGOTTEN_S]
        for worker in gone:
            del self.known[worker]
        return gone

    def offers(self, now_s: float) -> list[Offer]:
        """Return what the workers offer that work."""
        return [
            Offer(
                worker,
                member.beat.cores,
                frozenset(member.beat.labels),
                member.beat.gpus > 0,
                member.beat.zone,
                worker in self.drained,
                now_s - member.since_s < SETTLE_S,
            )
            for worker, member in self.known.items()
            if worker in self.alive
        ]


def _ended(beat: Beat, beats: Mapping[str, Beat], worker: str) -> bool:
    """Return whether a worker took its beats away, as one does that ends."""
    return beat.leaves and worker not in beats

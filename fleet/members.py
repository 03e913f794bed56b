"""The workers of a fleet: which of them work, as their beats say, and what they offer."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fleet.ceilings import NO_CEILING, Ceiling
from fleet.placing import Offer
from pipeline.control.beats import BEAT_S, Beat, cores_of

LOST_S = 3 * BEAT_S  # without a new beat a worker was killed, is frozen, or is cut off
TICK_S = 0.25  # between two looks
CALM_S = 60.0  # that a worker must work after it was late before it is given no more time for that
MOST_PATIENCE = 4  # times LOST_S
MOST_CREDIT = 2  # times LOST_S: of late looks, that are not counted from one beat to the next
SETTLE_S = 3.0  # that a worker works before cameras move there for balance alone
JOINED_S = 60.0  # in which one that joined, or came back, is given its share of the cameras
FORGOTTEN_S = 600.0  # after which one that is gone is no longer shown


@dataclass(slots=True)
class Member:
    """A worker of the fleet.

    Attributes:
        beat: its newest.
        beaten_s: when that was first seen, by the keeper's clock.
        since_s: since when it has worked without a break.
        joined_s: when it came to the others, or back; those that were there at first never did.
        lost_s: seconds without a new beat after which it is lost; more of one that came back, which
            was not dead but late.
        is_sure: it has beaten since the keeper looks: what was there at first may be of one that
            died long ago.
        is_spared: it was given the time to beat again, and has not yet.
        credit_s: of late looks that it was given since its last beat.
    """

    beat: Beat
    beaten_s: float
    since_s: float
    joined_s: float
    lost_s: float
    is_sure: bool = True
    is_spared: bool = False
    credit_s: float = 0.0

    def missed(self, seconds: float, most_s: float) -> None:
        """Do not count a time in which nobody looked, up to a bound: the keeper of a machine that
        is too busy would else never find one lost.
        """
        given_s = min(seconds, max(0.0, most_s - self.credit_s))
        self.credit_s += given_s
        self.beaten_s += given_s

    def spare(self, now_s: float) -> None:
        """Give it the time to beat again."""
        self.beaten_s, self.is_spared = now_s, True


class Members:
    """Follows the beats. What is compared is the keeper's own clock alone, and of that only the
    time in which it looked: where it could not, workers may well have been kept from beating.

    Args:
        lost_s: seconds without a new beat after which a worker is lost.

    Attributes:
        known: all workers by name, those too that are gone.
        alive: names of those that work.
        unsure: of those that may: a keeper that has just begun has not seen them beat yet.
        drained: of those that work, those that are to have no cameras.
    """

    def __init__(self, lost_s: float = LOST_S) -> None:
        self._lost_s = lost_s
        self.known: dict[str, Member] = {}
        self.alive: frozenset[str] = frozenset()
        self.unsure: frozenset[str] = frozenset()
        self.drained: frozenset[str] = frozenset()
        self._looked_s, self._busy_s = float("-inf"), 0.0
        self._began_s = float("inf")
        self._was_cut_off = False

    def begins(self, now_s: float) -> bool:
        """Return whether workers that may work had no time yet to beat since the first look: else
        those that beat first would be given all cameras.
        """
        return bool(self.unsure) and now_s - self._began_s < 2 * BEAT_S

    def cut_off(self) -> None:
        """Note that Redis does not answer: then no worker can beat."""
        self._was_cut_off = True

    def follow(self, beats: Mapping[str, Beat], drained: frozenset[str], now_s: float) -> bool:
        """Take what Redis holds; return whether that changes what the workers offer.

        Args:
            beats: by worker.
            drained: names of workers and nodes, and of single runs of workers.
            now_s: by the keeper's clock.
        """
        if is_first := self._looked_s == float("-inf"):
            self._began_s = now_s
        self._wait_for(self._missed_s(now_s), now_s)
        before = (self.alive, self.drained)
        is_new = False
        for worker, beat in beats.items():
            known = self.known.get(worker)
            if known is None or known.beat.run != beat.run:
                joined_s = float("-inf") if is_first else now_s
                self.known[worker] = Member(
                    beat, now_s, now_s, joined_s, self._lost_s, not is_first
                )
                is_new = True
            elif beat.number != known.beat.number:
                self._beaten(known, now_s)
                known.beat = beat
        working = {
            worker: member
            for worker, member in self.known.items()
            if now_s - member.beaten_s <= member.lost_s and not _ended(member.beat, beats, worker)
        }
        self.alive = frozenset(worker for worker, member in working.items() if member.is_sure)
        self.unsure = frozenset(working) - self.alive
        self.drained = frozenset(
            worker
            for worker in self.alive
            if {worker, self.known[worker].beat.node, run_name(worker, self.known[worker].beat)}
            & drained
            or self.known[worker].beat.leaves
        )
        return is_new or (self.alive, self.drained) != before

    def _wait_for(self, missed_s: float, now_s: float) -> None:
        """Do not blame workers for a time in which nobody looked. Those that worked have the time
        to beat again where it was long: once, unless Redis was away, which keeps all from beating.
        """
        was_away = missed_s > self._lost_s / 2
        for worker, member in self.known.items():
            is_known_to_work = worker in self.alive or worker in self.unsure
            if is_known_to_work and was_away and (self._was_cut_off or not member.is_spared):
                member.spare(now_s)
            else:
                member.missed(missed_s, MOST_CREDIT * self._lost_s)
        self._was_cut_off = False

    def _missed_s(self, now_s: float) -> float:
        """Return for how long nobody looked: this process had to wait for Redis or for a core. What
        it had to compute itself, and its pause between two looks, is not counted.
        """
        busy_s = time.thread_time()
        spent_s = max(0.0, busy_s - self._busy_s) + 1.5 * TICK_S
        missed_s = max(0.0, now_s - self._looked_s - spent_s) if self.known else 0.0
        self._looked_s, self._busy_s = now_s, busy_s
        return missed_s

    def _beaten(self, member: Member, now_s: float) -> None:
        if now_s - member.beaten_s > member.lost_s:
            member.since_s = member.joined_s = now_s
            member.lost_s = min(2 * member.lost_s, MOST_PATIENCE * self._lost_s)
        elif now_s - member.since_s > CALM_S:
            member.lost_s = self._lost_s
        member.beaten_s, member.credit_s = now_s, 0.0
        member.is_sure, member.is_spared = True, False

    def forgotten(self, now_s: float) -> list[str]:
        """Forget workers that have been gone for long; return them."""
        gone = [w for w, m in self.known.items() if now_s - m.beaten_s > FORGOTTEN_S]
        for worker in gone:
            del self.known[worker]
        return gone

    def nodes(self) -> dict[str, str]:
        """Return the machine of each worker, as the fleet calls it."""
        return {worker: member.beat.node for worker, member in self.known.items()}

    def cores(self) -> dict[str, float]:
        """Return the cores that cameras may use of each worker that works."""
        return cores_of({worker: self.known[worker].beat for worker in self.alive}, self.drained)

    def offers(self, now_s: float, ceilings: Mapping[str, Ceiling]) -> list[Offer]:
        """Return what the workers offer that work.

        Args:
            now_s: by the keeper's clock.
            ceilings: by worker, of what a beat does not tell.
        """
        cores = self.cores()
        return [
            Offer(
                worker,
                cores[worker],
                frozenset(member.beat.labels),
                member.beat.gpus > 0,
                member.beat.zone,
                worker in self.drained,
                now_s - member.since_s < SETTLE_S,
                *ceilings.get(worker, NO_CEILING),
                now_s - member.joined_s < JOINED_S,
            )
            for worker, member in self.known.items()
            if worker in self.alive
        ]


def run_name(worker: str, beat: Beat) -> str:
    """Return what one run of a worker is called among what is drained: its next one is not."""
    return f"{worker}@{beat.run}"


def worker_of_run(name: str) -> str | None:
    """Return the worker of what ``run_name`` returned; None of any other name."""
    worker, is_run, _ = name.partition("@")
    return worker if is_run else None


def outdated(drained: Iterable[str], beats: Mapping[str, Beat]) -> list[str]:
    """Return the names of runs that are over: their worker has begun again, or has ended."""
    runs = [(name, worker) for name in drained if (worker := worker_of_run(name))]
    return [n for n, worker in runs if worker not in beats or run_name(worker, beats[worker]) != n]


def _ended(beat: Beat, beats: Mapping[str, Beat], worker: str) -> bool:
    """Return whether a worker took its beats away, as one does that ends."""
    return beat.leaves and worker not in beats

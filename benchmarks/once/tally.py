"""Compare the events with what happened: each event beside its walker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.once.crowd import Crowd
from mirante.events import Event, EventKind

KINDS: tuple[EventKind, ...] = ("line-crossed", "object-new", "object-end")


@dataclass(frozen=True, slots=True)
class Tally:
    """The figures of one run.

    Attributes:
        crossings: that there were, and so the walkers that came and went.
        events: that came, by kind.
        lost: walkers without an event, summed over the kinds.
        doubled: events of a walker that had one of the kind before, or with an ID that came before.
        wrong: events of nobody, or with the wrong direction.
        unordered: events earlier than the one of their kind before them.
        gap_s: the longest time between two crossings.
    """

    crossings: int
    events: dict[EventKind, int]
    lost: int
    doubled: int
    wrong: int
    unordered: int
    gap_s: float

    @property
    def is_exact(self) -> bool:
        """Each happened once, in order."""
        return not (self.lost or self.doubled or self.wrong or self.unordered)


def tally(
    events: Sequence[Event], crowd: Crowd, begun_s: float, kinds: Sequence[EventKind] = KINDS
) -> Tally:
    """Compare what came with what happened.

    Args:
        events: in the order in which they came.
        crowd: who crossed.
        begun_s: Unix seconds at which it began.
        kinds: that each walker should have one of.
    """
    of = {kind: [event for event in events if event.kind == kind] for kind in kinds}
    who = {kind: [crowd.who(event, begun_s) for event in found] for kind, found in of.items()}
    known = {kind: Counter(n for n in found if n is not None) for kind, found in who.items()}
    again = sum(number - 1 for found in known.values() for number in found.values())
    told = [event for found in of.values() for event in found]
    wrong = [
        number is None or (kind == "line-crossed" and event.direction != _way(number))
        for kind, found in of.items()
        for number, event in zip(who[kind], found, strict=True)
    ]
    steps = {kind: [b.ts - a.ts for a, b in pairwise(found)] for kind, found in of.items()}
    return Tally(
        crossings=crowd.crossings,
        events={kind: len(found) for kind, found in of.items()},
        lost=sum(crowd.crossings - len(found) for found in known.values()),
        doubled=max(again, len(told) - len({event.id for event in told})),
        wrong=sum(wrong),
        unordered=sum(step < 0 for each in steps.values() for step in each),
        gap_s=max(steps["line-crossed"], default=0.0),
    )


def _way(number: int) -> str:
    return "out" if number % 2 else "in"

"""Compare the events with the crossings: each event beside its walker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.once.crowd import Crowd
from mirante.events import Event


@dataclass(frozen=True, slots=True)
class Tally:
    """The figures of one run.

    Attributes:
        crossings: that there were.
        events: that came.
        lost: walkers without an event.
        doubled: events of a walker that had one before, or with an ID that came before.
        wrong: events of nobody, or with the wrong direction.
        unordered: events earlier than the one before them.
        gap_s: the longest time between two events.
    """

    crossings: int
    events: int
    lost: int
    doubled: int
    wrong: int
    unordered: int
    gap_s: float

    @property
    def is_exact(self) -> bool:
        """Each crossing came once, in order."""
        return not (self.lost or self.doubled or self.wrong or self.unordered)


def tally(events: Sequence[Event], crowd: Crowd, begun_s: float) -> Tally:
    """Compare what came with what happened.

    Args:
        events: in the order in which they came.
        crowd: who crossed.
        begun_s: Unix seconds at which it began.
    """
    crossed = [event for event in events if event.kind == "line-crossed"]
    who = [crowd.who(event, begun_s) for event in crossed]
    known = Counter(number for number in who if number is not None)
    ids = Counter(event.id for event in crossed)
    wrong = [
        number is None or event.direction != ("out" if number % 2 else "in")
        for number, event in zip(who, crossed, strict=True)
    ]
    steps = [later.ts - earlier.ts for earlier, later in pairwise(crossed)]
    again = sum(number - 1 for number in known.values())
    return Tally(
        crossings=crowd.crossings,
        events=len(crossed),
        lost=crowd.crossings - len(known),
        doubled=max(again, len(crossed) - len(ids)),
        wrong=sum(wrong),
        unordered=sum(step < 0 for step in steps),
        gap_s=max(steps, default=0.0),
    )

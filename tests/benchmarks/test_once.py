"""The crowd whose crossings are known, and what is said of the events that came of it."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from benchmarks.once.crowd import BOX, Crowd
from benchmarks.once.faults import FAULTS
from benchmarks.once.plan import FAULTS as NAMES
from benchmarks.once.plan import Plan, faults_in
from benchmarks.once.tally import tally
from mirante.events import Event
from tests.support.outcome import Run

CROWD = Crowd(crossings=50, rate=8.0, seen_s=3.0)
BEGUN_S = 1_764_000_000.0


def crossing(number: int, after_s: float = 0.05) -> Event:
    """The event of a walker, some time behind the line."""
    passed_s = number / CROWD.rate + after_s
    numbers, boxes = CROWD.at(passed_s)
    left, top, right, bottom = boxes[numbers == number][0].round(2).tolist()
    return Event(
        id=f"e{number}",
        camera="gate",
        kind="line-crossed",
        ts=BEGUN_S + passed_s,
        bbox=(left, top, right - left, bottom - top),
        direction="out" if number % 2 else "in",
    )


@pytest.mark.parametrize("crowd", [CROWD, Crowd(1000, 8.0, 11.0), Crowd(7, 0.5, 60.0)])
def test_each_walker_has_a_place_of_its_own_and_crosses_at_its_time(crowd: Crowd) -> None:
    seen: set[int] = set()
    for passed_s in np.arange(-crowd.seen_s - 1, crowd.seconds + 1, 0.37):
        numbers, boxes = crowd.at(passed_s)
        near = np.abs(boxes[:, None] - boxes[None]).max(2) < BOX[0]
        assert near.sum() == len(numbers), "nobody touches another"
        assert (boxes[:, [0, 1]] >= 0).all()
        assert (boxes[:, 2] <= crowd.width).all()
        x = boxes[:, [0, 2]].mean(1) - crowd.width / 2
        ahead = np.where(numbers % 2, -x, x)
        assert ((ahead > 1e-3) <= (numbers / crowd.rate < passed_s)).all()
        seen |= set(numbers.tolist())
    assert seen == set(range(crowd.crossings))


@pytest.mark.parametrize("after_s", [-2.5, 0.01, 2.9])
def test_an_event_tells_whose_it_is(after_s: float) -> None:
    for number in range(CROWD.crossings):
        assert CROWD.who(crossing(number, after_s), BEGUN_S) == number


EXACT = [crossing(number) for number in range(50)]
LAST = EXACT[-1]


def changed(event: Event, **facts: Any) -> Event:
    return msgspec.structs.replace(event, **facts)


CASES: dict[str, tuple[list[Event], dict[str, int]]] = {
    "exact": (EXACT, {}),
    "other kinds do not count": ([*EXACT, changed(LAST, kind="zone-left")], {}),
    "lost": (EXACT[:20] + EXACT[23:], {"lost": 3}),
    "doubled": ([*EXACT, LAST], {"doubled": 1}),
    "doubled with another ID": ([*EXACT, changed(LAST, id="other")], {"doubled": 1}),
    "two with one ID": ([*EXACT[:-1], changed(LAST, id="e3")], {"doubled": 1}),
    "the other way": ([*EXACT[:-1], changed(LAST, direction="in")], {"wrong": 1}),
    "of nobody": ([*EXACT, changed(LAST, id="x", bbox=None)], {"wrong": 1}),
    "out of order": ([EXACT[1], EXACT[0], *EXACT[2:]], {"unordered": 1}),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_lost_or_doubled_is_found(case: str) -> None:
    events, expected = CASES[case]
    found = tally(events, CROWD, BEGUN_S)
    facts = {name: getattr(found, name) for name in ("lost", "doubled", "wrong", "unordered")}
    assert facts == {"lost": 0, "doubled": 0, "wrong": 0, "unordered": 0, **expected}
    assert found.is_exact == (not expected)
    assert found.gap_s == pytest.approx(4 / 8 if case == "lost" else 1 / 8, abs=1 / 7)


def test_too_many_at_once_are_refused() -> None:
    with pytest.raises(ValueError, match=r"--rate times --seen: expected up to 90, got 100"):
        Crowd(1000, rate=10.0, seen_s=10.0)


def test_each_fault_that_is_offered_can_be_made() -> None:
    assert list(FAULTS) == list(NAMES) == list(Plan().faults)
    assert faults_in("kill,redis") == ("kill", "redis")
    with pytest.raises(ValueError, match=r'--faults: no fault "kil"; did you mean "?kill'):
        faults_in("kil")


@pytest.mark.redis
def test_a_worker_is_killed_while_twenty_objects_cross(mirante: Run) -> None:
    crowd = ("--crossings", "20", "--rate", "4", "--seen", "6", "--every", "4")
    done = mirante("bench", "once", "--faults", "kill", *crowd)
    assert done.status == 0, done.err
    [row] = [line.split() for line in done.out.splitlines() if line.startswith("kill")]
    assert row[2:8] == ["20", "20", "0", "0", "0", "0"]
    assert int(row[1]) >= 1

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
from benchmarks.once.run import run_bench
from benchmarks.once.tally import tally
from mirante.events import Event, EventKind
from tests.support.outcome import Run

CROWD = Crowd(crossings=50, rate=8.0, seen_s=3.0)
BEGUN_S = 1_764_000_000.0


def told(number: int, after_s: float = 0.05, kind: EventKind = "line-crossed") -> Event:
    """The event of a walker, some time behind the line."""
    passed_s = number / CROWD.rate + after_s
    numbers, boxes = CROWD.at(passed_s)
    left, top, right, bottom = boxes[numbers == number][0].round(2).tolist()
    return Event(
        id=f"{number}-{kind}",
        camera="gate",
        kind=kind,
        ts=BEGUN_S + passed_s,
        bbox=(left, top, right - left, bottom - top),
        direction="out" if number % 2 else "in",
    )


@pytest.mark.parametrize("crowd", [CROWD, Crowd(1000, 8.0, 11.0), Crowd(7, 0.5, 60.0)])
def test_each_walker_has_a_place_of_its_own_and_crosses_at_its_time(crowd: Crowd) -> None:
    seen: set[int] = set()
    for passed_s in np.arange(-crowd.seen_s - 1, crowd.seconds + 1, 1.37):
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
        assert CROWD.who(told(number, after_s), BEGUN_S) == number


CROSSED = [told(number) for number in range(50)]
NEW = [told(number, -2.5, "object-new") for number in range(50)]
ENDED = [told(number, 2.9, "object-end") for number in range(50)]
EXACT = [*CROSSED, *NEW, *ENDED]
FIRST, LAST = CROSSED[0], CROSSED[-1]


def changed(event: Event, **facts: Any) -> Event:
    return msgspec.structs.replace(event, **facts)


CASES: dict[str, tuple[list[Event], dict[str, int]]] = {
    "exact": (EXACT, {}),
    "other kinds do not count": ([*EXACT, changed(LAST, id="z", kind="zone-left")], {}),
    "lost": (CROSSED[:20] + CROSSED[23:] + NEW + ENDED, {"lost": 3}),
    "never seen, and never gone": (CROSSED + NEW[1:] + ENDED[:-1], {"lost": 2}),
    "doubled": ([*EXACT, ENDED[-1]], {"doubled": 1}),
    "doubled with another ID": ([*CROSSED, *NEW, changed(NEW[-1], id="x"), *ENDED], {"doubled": 1}),
    "two with one ID": (
        [*CROSSED, *NEW[:-1], changed(NEW[-1], id=LAST.id), *ENDED],
        {"doubled": 1},
    ),
    "one lost, another twice": ([FIRST, *CROSSED[:-1], *NEW, *ENDED], {"lost": 1, "doubled": 1}),
    "the other way": ([*CROSSED[:-1], changed(LAST, direction="in"), *NEW, *ENDED], {"wrong": 1}),
    "of nobody": ([*EXACT, changed(LAST, id="x", bbox=None)], {"wrong": 1}),
    "out of order": ([CROSSED[1], FIRST, *CROSSED[2:], *NEW, *ENDED], {"unordered": 1}),
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


def test_a_crowd_that_no_tracker_follows_is_refused() -> None:
    Crowd(5, 1.0, seen_s=2.0).check_trackable(15)
    with pytest.raises(ValueError, match=r"--seen: expected 6 or more at --fps 5, got 2"):
        run_bench(Plan(seen=2.0, fps=5))


def test_each_fault_that_is_offered_can_be_made() -> None:
    assert list(FAULTS) == list(NAMES) == list(Plan().faults)
    assert faults_in("kill,redis") == ("kill", "redis")
    with pytest.raises(ValueError, match=r'--faults: no fault "kil"; did you mean "?kill'):
        faults_in("kil")


@pytest.mark.redis
def test_redis_is_killed_while_objects_come_cross_and_go(mirante: Run) -> None:
    crowd = ("--crossings", "8", "--rate", "4", "--seen", "6", "--every", "2", "--down", "1")
    done = mirante("bench", "once", "--faults", "redis", *crowd)
    assert done.status == 0, done.err
    assert "redis: each event once, in order" in done.err.splitlines()
    [row] = [line.split() for line in done.out.splitlines() if line.startswith("redis")]
    assert row[2:10] == ["8", "8", "8", "8", "0", "0", "0", "0"]
    assert int(row[1]) >= 1

"""Which worker gets which camera, over many fleets that are drawn by chance."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import replace

import pytest

from fleet.placing import IMBALANCE, Demand, Offer, Plan, place
from pipeline.control.entries import Needs

LITTLE = 1e-6


def carried_out(demands: list[Demand], plan: Plan) -> list[Demand]:
    """The cameras where the plan puts them."""
    moved = [replace(each, worker=plan.moves.get(each.camera, each.worker)) for each in demands]
    return [replace(e, worker="") if e.camera in plan.refused else e for e in moved]


def loads(demands: list[Demand]) -> Counter[str]:
    found = Counter[str]()
    for each in demands:
        found[each.worker] += each.cost  # type: ignore[assignment]
    return found


def drawn(chance: random.Random) -> tuple[list[Demand], list[Offer]]:
    """A fleet with cameras that some of its workers have, and workers that are gone."""
    kinds = [Needs(), Needs(gpu=True), Needs(labels=("indoor",)), Needs(zone="north")]
    offers = [
        Offer(
            f"w{number}",
            chance.choice([2.0, 4.0, 8.0]),
            frozenset(chance.sample(["indoor", "fast"], chance.randint(0, 2))),
            chance.random() < 0.5,
            chance.choice(["", "north"]),
            chance.random() < 0.1,
        )
        for number in range(chance.randint(1, 12))
    ]
    names = [*(offer.worker for offer in offers), "", "gone"]
    demands = [
        Demand(
            f"c{number}",
            chance.choice([0.05, 0.2, 0.4, 1.3]),
            chance.choices(kinds, [6, 1, 1, 1])[0],
            chance.choice(names),
        )
        for number in range(chance.randint(0, 60))
    ]
    return demands, offers


@pytest.mark.parametrize("seed", range(60))
def test_any_fleet_is_placed_well(seed: int) -> None:
    demands, offers = drawn(random.Random(seed))
    plan = place(demands, offers)
    by_name = {offer.worker: offer for offer in offers}
    after = carried_out(demands, plan)
    before = loads([each for each in demands if each.worker in by_name])
    now = loads(after)
    for each in after:
        moved = each.camera in plan.moves
        if moved:
            offer = by_name[each.worker]
            assert not offer.drained
            assert offer.meets(each.needs)
        assert not each.worker or each.worker in by_name
        assert bool(each.worker) != (each.camera in plan.refused)
    for offer in offers:  # nobody is given more than it can do
        assert now[offer.worker] <= max(offer.room, before[offer.worker]) + LITTLE
    for camera, words in plan.refused.items():
        [each] = [each for each in demands if each.camera == camera]
        able = [o for o in offers if not o.drained and o.meets(each.needs)]
        assert all(now[o.worker] + each.cost > o.room + 1e-9 for o in able) or able == []
        assert f"{each.cost:.2f}" in words if able else f"of {len(offers)} workers" in words
    for _ in range(5):  # room that comes free is used, and then it is over
        plan = place(after, offers)
        after = carried_out(after, plan)
    assert plan.moves == {}


@pytest.mark.parametrize("seed", range(20))
def test_nothing_moves_without_need(seed: int) -> None:
    """Of a fleet at rest a worker goes, or its costs are measured otherwise: only what was there
    moves, or what makes up for a difference above the bound.
    """
    chance = random.Random(seed)
    offers = [Offer(f"w{number}", 8.0) for number in range(10)]
    demands = [Demand(f"c{number}", chance.uniform(0.1, 0.4)) for number in range(150)]
    demands = carried_out(demands, place(demands, offers))
    assert place(demands, offers).moves == {}
    other = [replace(each, cost=each.cost * chance.uniform(0.95, 1.05)) for each in demands]
    assert place(other, offers).moves == {}
    gone = place(demands, offers[1:])
    assert gone.moves.keys() == {each.camera for each in demands if each.worker == "w0"}
    back = carried_out(demands, gone)
    joined = place(back, offers)
    shares = {name: load / 8.0 for name, load in loads(carried_out(back, joined)).items()}
    assert set(joined.moves.values()) == {"w0"}
    assert max(shares.values()) - min(shares.values()) <= IMBALANCE / 2 + 0.05
    assert len(joined.moves) <= 20


def test_one_that_joins_gets_its_share_of_the_little_there_is() -> None:
    offers = [Offer(name, 8.0) for name in "abcd"]
    there = [Demand(f"c{n}", 0.05, worker="abc"[n % 3]) for n in range(12)]
    assert place(there, offers).moves == {}, "it would gain nothing"
    joins = [*offers[:3], replace(offers[3], joined=True)]
    plan = place(there, joins)
    assert list(plan.moves.values()) == ["d"] * 3
    after = carried_out(there, plan)
    assert set(Counter(each.worker for each in after).values()) == {3}
    otherwise = [replace(each, cost=0.06 if each.worker == "a" else 0.05) for each in after]
    assert place(otherwise, joins).moves == {}
    fresh = [*offers[:3], replace(offers[3], joined=True, fresh=True)]
    assert place(there, fresh).moves == {}


def test_a_full_fleet_refuses_with_a_number() -> None:
    offers = [Offer("a", 1.0), Offer("b", 2.0, gpu=True)]
    demands = [Demand("one", 0.9, worker="a"), Demand("two", 1.5, worker="b"), Demand("new", 0.6)]
    plan = place(demands, offers)
    assert plan.moves == {}
    assert plan.refused == {
        "new": 'it takes 0.60 cores; worker "b" has most left, 0.50 of 2.00',
    }
    asks = [Demand("gpu", 0.1, Needs(("x",), gpu=True, zone="north"))]
    words = 'none of 2 workers offers label "x" and a GPU and zone "north"'
    assert place(asks, offers).refused == {"gpu": words}


def test_a_drained_worker_keeps_what_finds_no_place() -> None:
    offers = [Offer("a", 1.0, drained=True), Offer("b", 1.0)]
    demands = [Demand(f"c{number}", 0.4, worker="a") for number in range(3)]
    plan = place(demands, offers)
    assert len(plan.moves) == 2
    assert plan.refused == {}


def test_a_worker_with_too_much_gives_the_least_that_helps() -> None:
    offers = [Offer("a", 1.0), Offer("b", 1.0)]
    costs = {"big": 0.6, "small": 0.1, "middle": 0.4}
    plan = place([Demand(name, cost, worker="a") for name, cost in costs.items()], offers)
    assert plan.moves == {"small": "b"} or sum(costs[name] for name in plan.moves) <= 0.5


def test_ten_thousand_cameras_are_spread_over_many_workers() -> None:
    offers = [Offer(f"w{number}", 8.0) for number in range(500)]
    demands = [Demand(f"c{number}", 0.1 + number % 7 / 50) for number in range(10_000)]
    demands = carried_out(demands, place(demands, offers))
    by_worker = defaultdict[str, float](float)
    for each in demands:
        by_worker[each.worker] += each.cost
    assert max(by_worker.values()) - min(by_worker.values()) < 0.3
    assert place([*demands, Demand("one more", 0.2)], offers).moves.keys() == {"one more"}


GIB = 1 << 30


@pytest.mark.parametrize(
    ("demand", "words"),
    [
        (
            Demand("new", 0.1, memory=3 * GIB),
            '3072 MiB of memory; worker "b" has most left, 2048 of',
        ),
        (Demand("new", 0.1, gpu=0.5), '50% of a GPU; worker "b" has most left, 30% of 80%'),
        (Demand("new", 5.0, memory=GIB), '5.00 cores; worker "a" has most left, 4.00 of 4.00'),
    ],
)
def test_memory_and_gpu_are_bounds_too(demand: Demand, words: str) -> None:
    offers = [
        Offer("a", 4.0, memory=GIB, gpu_room=0.0),
        Offer("b", 4.0, memory=4 * GIB, gpu_room=0.8),
    ]
    there = Demand("there", 0.1, worker="b", memory=2 * GIB, gpu=0.5)
    plan = place([there, demand], offers)
    assert plan.moves == {}
    assert f"it takes {words}" in plan.refused["new"]


def test_a_worker_is_as_full_as_what_it_has_least_of() -> None:
    """One whose GPU is taken is not the emptiest, whatever its processor does."""
    offers = [Offer("a", 8.0, gpu_room=0.8), Offer("b", 8.0, gpu_room=0.8)]
    there = [Demand(f"c{n}", 0.1, worker="a", gpu=0.2) for n in range(3)]
    there.append(Demand("d", 3.0, worker="b"))
    plan = place([*there, Demand("new", 0.1, gpu=0.1)], offers)
    assert plan.moves["new"] == "b"
    too_much = [Demand(f"c{n}", 0.1, worker="a", gpu=0.3) for n in range(3)]
    assert list(place(too_much, offers).moves.values()) == ["b"]


def test_a_worker_that_could_not_reach_a_camera_is_passed_over() -> None:
    offers = [Offer("a", 8.0), Offer("b", 1.0), Offer("c", 8.0)]
    shuns = frozenset("ac")
    assert place([Demand("x", 0.5, shuns=shuns), Demand("y", 0.5)], offers).moves["x"] == "b"
    full = [Demand("x", 2.0, shuns=shuns), Demand("y", 2.0)]
    plan = place(full, offers)
    assert plan.moves.keys() == {"y"}
    assert plan.refused["x"] == 'it takes 2.00 cores; worker "b" has most left, 1.00 of 1.00'
    none = place([Demand("x", 0.5, shuns=frozenset("abc"))], offers)
    assert none.refused["x"] == "none of 3 workers takes cameras and reaches it"

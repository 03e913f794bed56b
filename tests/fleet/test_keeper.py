"""The keeper, with a real Redis, beats that the test makes, and a clock that it turns."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import msgspec
import pytest

from fleet import keeping
from fleet.demo import remove_demo, say
from fleet.draining import cameras_on, drain
from fleet.keeper import Keeper
from fleet.keeping import keep, keep_or_end
from fleet.members import CALM_S, LOST_S
from fleet.placing import Demand, Offer, Plan, place
from mirante.keys import CAMERAS, CAMERAS_VERSION, FLEET_BEATS, owner_key
from pipeline.control.beats import beat, beats, end
from pipeline.control.entries import Needs
from pipeline.control.registry import Place, connect
from pipeline.worker.redis_server import RedisServer
from tests.support.fleet_site import Site

pytestmark = pytest.mark.redis


@pytest.fixture
def site(redis_server: RedisServer) -> Iterator[Site]:
    with connect(redis_server.url) as client:
        yield Site(client)


def test_cameras_wait_for_workers_and_are_spread(site: Site) -> None:
    site.add(*(f"c{number}" for number in range(6)))
    site.pass_by(2)
    assert set(site.places().values()) == {""}
    assert site.keeper.refused["c0"] == "none of 0 workers takes cameras"
    site.join("a")
    site.join("b")
    site.pass_by(1)
    assert Counter(site.places().values()) == {"a": 3, "b": 3}
    assert site.pass_by(30) == 0, "at rest nothing moves"


def test_a_lost_worker_is_left_for_the_others_and_used_again(site: Site) -> None:
    for worker in "abc":
        site.join(worker)
    site.add(*(f"c{number}" for number in range(9)))
    site.pass_by(2)
    hit = [name for name, worker in site.places().items() if worker == "a"]
    assert site.pass_by(LOST_S - 0.25, but=("a",)) == 0
    assert site.pass_by(0.75, but=("a",)) == 3
    assert set(site.places().values()) == {"b", "c"}
    found = site.registry.cameras()
    assert {found[name].before for name in hit} == {"a"}
    assert {move.why for move in site.keeper.moves if move.source} == {'worker "a" is gone'}
    site.pass_by(20)
    assert Counter(site.places().values()) == {"a": 3, "b": 3, "c": 3}


def test_needs_are_met_or_refused_in_words(site: Site) -> None:
    site.join("a")
    site.join("b", labels=("dock",), zone="north", gpus=1)
    site.add("gpu", needs=Needs(gpu=True))
    site.add("dock", needs=Needs(labels=("dock",), zone="north"))
    site.add("roof", needs=Needs(labels=("roof",)))
    site.pass_by(1)
    assert site.places() == {"gpu": "b", "dock": "b", "roof": ""}
    assert site.keeper.refused == {"roof": 'none of 2 workers offers label "roof"'}


def test_a_full_fleet_takes_no_more_and_says_so(site: Site) -> None:
    site.join("a", cores=0.6)
    site.add("c1", "c2", "c3")
    site.pass_by(1)
    assert Counter(site.places().values()) == {"a": 2, "": 1}
    [words] = site.keeper.refused.values()
    assert words == 'it takes 0.25 cores; worker "a" has most left, 0.10 of 0.60'


def test_workers_that_share_a_machine_share_its_cores(site: Site) -> None:
    for worker in "ab":
        site.join(worker, cores=1.0, node="rack", shares=True)
    site.add(*(f"c{number}" for number in range(5)))
    site.pass_by(1)
    assert Counter(site.places().values()) == {"a": 2, "b": 2, "": 1}, "0.25 each"
    site.pass_by(4, but="b")
    assert Counter(site.places().values()) == {"a": 4, "": 1}, "all of it is its own"


def test_what_one_that_is_drained_had_is_for_others_of_its_machine(site: Site) -> None:
    for worker in "ab":
        site.join(worker, cores=1.0, node="rack", shares=True)
    site.add(*(f"c{number}" for number in range(4)))
    site.pass_by(1)
    assert Counter(site.places().values()) == {"a": 2, "b": 2}
    drain(site.client, "b")
    site.pass_by(4)
    assert Counter(site.places().values()) == {"a": 4}, "which run there already"


def test_a_worker_that_leaves_hands_over_and_is_gone(site: Site) -> None:
    site.join("a")
    site.join("b")
    site.add("c1", "c2")
    site.pass_by(2)
    site.workers["a"] = msgspec.structs.replace(site.workers["a"], leaves=True)
    site.pass_by(1)
    assert cameras_on(site.client, "a") == []
    del site.workers["a"]
    end(site.client, "a")
    site.pass_by(0.25)
    assert site.keeper.members.alive == {"b"}


def test_nothing_moves_where_redis_or_the_keeper_was_away(site: Site) -> None:
    site.join("a")
    site.join("b")
    site.add(*(f"c{number}" for number in range(6)))
    site.pass_by(2)
    before = site.places()
    site.now_s += 60.0  # nobody looked
    assert site.keeper.step() == 0
    site.pass_by(1)
    site.client.delete(FLEET_BEATS)
    assert site.keeper.step() == 0
    site.client.delete(CAMERAS, CAMERAS_VERSION)
    assert site.keeper.step() == 0
    assert site.places() == {}
    assert before


def test_one_that_took_over_and_died_is_taken_over_from(site: Site) -> None:
    """The claim is then another's than the one that the move named."""
    for worker in "ab":
        site.join(worker)
    site.add("c1")
    site.pass_by(2)
    first = site.places()["c1"]
    other = "b" if first == "a" else "a"
    site.pass_by(LOST_S + 0.5, but=(first,))
    assert site.places()["c1"] == other
    site.client.set(owner_key("c1"), "late:x.1")
    site.keeper._arrivals.note("c1", "", {}, site.now_s)
    site.keeper.step()
    assert site.registry.cameras()["c1"].before == "late"


def test_one_of_several_keepers_decides(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "LEASE_MS", 30_000)  # no pause of a busy machine ends it
    decided: list[int] = []
    stops = [threading.Event(), threading.Event()]
    threads = []
    for number, stop in enumerate(stops):
        note = partial(_note, decided, number)
        threads.append(threading.Thread(target=keep, args=(redis_server.url, stop, note)))
        threads[-1].start()
    try:
        _wait(lambda: len(decided) > 3)
        [first] = set(decided)
        stops[first].set()
        threads[first].join()
        _wait(lambda: decided[-1] != first)
    finally:
        for stop in stops:
            stop.set()
        for thread in threads:
            thread.join()


def test_many_cameras_are_one_write(site: Site) -> None:
    for number in range(40):
        site.join(f"w{number}", cores=80.0)
    site.pass_by(0.5)  # a keeper that begins waits for each to beat once more
    site.add(*(f"c{number}" for number in range(120)))
    version = site.client.hget(CAMERAS_VERSION, "number")
    site.pass_by(0.25)
    assert int(site.client.hget(CAMERAS_VERSION, "number") or 0) == int(version or 0) + 1
    assert set(Counter(site.places().values()).values()) <= {2, 3, 4}
    assert len(beats(site.client)) == 40


def test_a_keeper_that_cannot_look_does_not_blame_the_workers(site: Site) -> None:
    site.join("a")
    site.join("b")
    site.add(*(f"c{number}" for number in range(4)))
    site.pass_by(2)
    for _ in range(4):  # the machine is so busy that each look, and each beat, is late
        assert site.pass_by(2.1, but="ab", step_s=0.7) == 0
        assert site.pass_by(0.7, step_s=0.7) == 0
    assert site.keeper.members.alive == {"a", "b"}


def test_a_worker_that_was_late_is_given_more_time(site: Site) -> None:
    site.join("a")
    site.join("b")
    site.pass_by(1)
    site.pass_by(LOST_S + 0.5, but="a")
    assert site.keeper.members.alive == {"b"}
    site.pass_by(1)
    site.pass_by(LOST_S + 0.5, but="a")
    assert site.keeper.members.alive == {"a", "b"}, "it has shown that it comes back"
    site.pass_by(LOST_S, but="a")
    assert site.keeper.members.alive == {"b"}
    site.pass_by(CALM_S + 1)
    site.pass_by(LOST_S + 0.5, but="a")
    assert site.keeper.members.alive == {"b"}, "it has been on time for long"


def test_a_keeper_that_is_always_late_finds_one_that_is_lost(site: Site) -> None:
    """As of a machine that is too busy to look four times a second."""
    site.join("a")
    site.join("b")
    site.add(*(f"c{number}" for number in range(4)))
    site.pass_by(2)
    assert site.pass_by(10, but="a", step_s=2.0) == 2
    assert set(site.places().values()) == {"b"}


def test_a_keeper_that_begins_does_not_take_an_old_beat_for_life(site: Site) -> None:
    site.join("a")
    site.join("dead")
    beat(site.client, "dead", site.workers["dead"])
    site.add("c1", "c2")
    site.registry.assign({"c1": Place("dead")})
    site.pass_by(1.25, but=("dead",))
    assert site.places() == {"c1": "dead", "c2": "a"}, "it may work, and is given nothing"
    site.pass_by(LOST_S, but=("dead",))
    assert site.places() == {"c1": "a", "c2": "a"}


def test_many_are_given_in_parts_as_long_as_the_keeper_decides(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleet.keeper.WRITTEN", 10)
    asked: list[int] = []

    def decides() -> bool:
        asked.append(len(asked))
        return len(asked) < 4

    site.keeper = Keeper(site.client, lambda: site.now_s, decides=decides)
    site.join("a", cores=80.0)
    site.add("first")
    for _ in range(3):
        site.pass_by(0.25)
        asked.clear()
    site.add(*(f"c{number}" for number in range(40)))
    assert site.pass_by(0.25) == 30
    asked.clear()
    assert site.pass_by(0.25) == 10
    assert set(site.places().values()) == {"a"}


def test_where_no_worker_is_left_cameras_stay_until_one_comes_back(site: Site) -> None:
    site.join("a")
    site.join("b")
    site.add(*(f"c{number}" for number in range(4)))
    site.pass_by(2)
    before = site.places()
    assert site.pass_by(8, but="ab") == 0
    assert site.keeper.members.alive == frozenset()
    assert site.pass_by(2) == 0
    assert site.places() == before


def test_a_paused_camera_of_a_worker_that_is_gone_keeps_nobody_busy(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.join("a")
    site.join("b")
    site.add("c1")
    site.pass_by(2)
    gone = site.places()["c1"]
    site.registry.pause("c1")
    site.pass_by(3, but=gone)
    plans: list[float] = []

    def plan(demands: Iterable[Demand], offers: Iterable[Offer]) -> Plan:
        plans.append(site.now_s)
        return place(demands, offers)

    monkeypatch.setattr("fleet.keeper.place", plan)
    site.pass_by(9, but=gone)
    assert len(plans) <= 2, "every five seconds alone"
    site.registry.resume("c1")
    site.pass_by(0.5, but=gone)
    assert site.places()["c1"] not in ("", gone)


def test_a_keeper_that_decides_no_more_writes_nothing(site: Site) -> None:
    """As one that was frozen between looking and writing."""
    site.keeper = Keeper(site.client, lambda: site.now_s, decides=lambda: False)
    site.join("a")
    site.add("c1")
    assert site.pass_by(1) == 0
    assert site.places() == {"c1": ""}


def test_what_is_shown_of_a_fleet_ends_nothing(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    remove_demo(site.client, 2)  # somebody else has removed them
    with connect("redis://127.0.0.1:1") as away:
        say(away)
    assert "Redis does not answer" in capsys.readouterr().out


def test_a_keeper_that_fails_ends_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr("os._exit", ended.append)
    monkeypatch.setattr(keeping, "connect", lambda _: 1 / 0)
    keep_or_end("redis://127.0.0.1:1", threading.Event())
    assert ended == [1]


def _note(decided: list[int], number: int, _: Keeper) -> None:
    decided.append(number)


def _wait(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)

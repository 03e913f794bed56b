"""What a fleet says of itself: where cameras are, and how many more fit."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from fleet.ceilings import ceilings_of
from fleet.redis_use import Used, fit_in
from fleet.report import Kept, make
from mirante.keys import FLEET_REPORT
from pipeline.control.beats import Beat, beat
from pipeline.control.entries import Desired, Needs
from pipeline.control.fleet_report import AWAY_S, FleetReport, MoveReport, publish, reported
from pipeline.control.fleet_room import FleetFullError, check_fleet, full_words
from pipeline.control.registry import connect
from pipeline.control.reports import GpuReport, WorkerReport
from pipeline.control.room import Fit, RoomReport
from pipeline.worker.redis_server import RedisServer
from tests.support.api_server import REPORT

GIB = 1 << 30
GPU = GpuReport(name="L4", utilisation_percent=60.0, memory_bytes=2, memory_used_bytes=1)


def worker(name: str, host: str, cameras: int, free: float, **changes: Any) -> WorkerReport:
    """Return the report of one whose cameras take 20 % of a core and 1 GiB each."""
    room = RoomReport(
        cameras=cameras,
        camera_percent=20.0 if cameras else None,
        free_percent=free,
        more=None,
        camera_bytes=GIB if cameras else None,
        memory_left_bytes=100 * GIB,
    )
    return msgspec.structs.replace(
        REPORT, **{"worker": name, "host": host, "room": room, "at": 5.0, **changes}
    )


def cameras(**workers: str) -> dict[str, Desired]:
    return {name: Desired(name, {"url": "test://"}, "api", w) for name, w in workers.items()}


def test_how_many_more_fit_is_the_sum_of_the_machines() -> None:
    """Two workers on a machine share what is left of it; an empty machine is measured by others."""
    reports = {
        "a": worker("a", "rack-1", 3, 110.0),
        "b": worker("b", "rack-1", 2, 100.0),
        "c": worker("c", "rack-2", 0, 250.0),
        "other": worker("other", "rack-9", 9, 900.0),
    }
    made = make(cameras(x="a", y="b", z=""), reports, Kept(("a", "b", "c")))
    assert (made.more, made.limited_by) == (5 + 12, "processor")
    assert [(node.name, node.more, node.cameras) for node in made.nodes] == [
        ("rack-1", 5, 2),
        ("rack-2", 12, 0),
    ]
    assert (made.each_percent, made.each_bytes) == (20.0, GIB)
    assert (made.cameras, made.placed) == (3, 2)


@pytest.mark.parametrize(
    ("changes", "more", "by"),
    [
        ({}, 25, "processor"),
        ({"gpus": (GPU,)}, 1, "GPU"),  # 60 % by 5 cameras; 80 % may be used
    ],
)
def test_what_runs_out_first_is_named(changes: Any, more: int, by: str) -> None:
    made = make({}, {"a": worker("a", "rack-1", 5, 500.0, **changes)}, Kept(("a",)))
    assert (made.more, made.limited_by) == (more, by)
    tight = worker("a", "rack-1", 5, 500.0, **changes)
    assert tight.room is not None
    tight = msgspec.structs.replace(
        tight, room=msgspec.structs.replace(tight.room, memory_left_bytes=GIB // 2)
    )
    made = make({}, {"a": tight}, Kept(("a",)))
    assert (made.more, made.limited_by) == (0, "memory")
    made = make({}, {"a": worker("a", "rack-1", 5, 500.0)}, Kept(("a",)), Fit(3, "Redis's memory"))
    assert (made.more, made.limited_by) == (3, "Redis's memory")


def test_what_is_drained_and_cores_beyond_those_offered_are_no_room() -> None:
    reports = {
        "a": worker("a", "rack-1", 3, 110.0),
        "b": worker("b", "rack-1", 2, 110.0),
        "c": worker("c", "rack-2", 0, 250.0),
    }
    two = Kept(("a", "b", "c"), draining=frozenset("c"))
    made = make({}, reports, two)
    assert [(node.more, node.limited_by) for node in made.nodes] == [
        (5, "processor"),
        (0, "drained"),
    ]
    assert (made.more, made.limited_by) == (5, "processor")
    offered = Kept(("a", "b", "c"), cores={"a": 0.99, "b": 0.7, "c": 0.5})
    made = make({}, reports, offered)
    assert [node.more for node in made.nodes] == [1 + 1, 2], "no part of a camera fits anywhere"
    all_of_them = make({}, reports, Kept(("a", "b", "c"), draining=frozenset("abc")))
    assert (all_of_them.more, all_of_them.limited_by) == (0, "drained")
    assert full_words(all_of_them).startswith("the fleet is full: 0 of 0 cameras fit; all of its")
    new = {"a": reports["a"], "d": msgspec.structs.replace(reports["c"], worker="d", room=None)}
    assert make({}, new, Kept(("a", "d"), draining=frozenset("a"))).more is None, "not known yet"
    new["a"] = worker("a", "rack-1", 3, 0.0)
    assert make({}, new, Kept(("a", "d"))).more is None, "d, which has just joined, may have room"


def test_containers_with_a_limit_are_apart_and_those_without_share_their_machine() -> None:
    """As pods of one node, which each have a host name of their own."""

    def pod(name: str, free: float, own: bool) -> WorkerReport:
        made = worker(name, f"pod-{name}", 2, free)
        assert made.room is not None
        return msgspec.structs.replace(
            made, room=msgspec.structs.replace(made.room, own_cores=own, own_memory=own)
        )

    nodes = dict.fromkeys("ab", "rack-1")
    apart = {"a": pod("a", 100.0, True), "b": pod("b", 60.0, True)}
    made = make({}, apart, Kept(("a", "b"), nodes=nodes))
    assert [(node.name, node.workers, node.more) for node in made.nodes] == [("rack-1", 2, 8)]
    assert [each.node for each in made.workers] == ["rack-1", "rack-1"]
    shared = {"a": pod("a", 100.0, False), "b": pod("b", 100.0, False)}
    assert make({}, shared, Kept(("a", "b"), nodes=nodes)).more == 5
    assert make({}, shared, Kept(("a", "b"))).more == 10, "nobody says that it is one machine"
    (alone, both) = (ceilings_of(reports, nodes)["a"].memory for reports in (apart, shared))
    assert alone - both == 50 * GIB


def in_memory(name: str, gib: int, own_cores: bool, own_memory: bool) -> WorkerReport:
    """Return the report of a container on a node, of which so much memory is left."""
    made = worker(name, f"pod-{name}", 2, 500.0)
    assert made.room is not None
    bounds = {"own_cores": own_cores, "own_memory": own_memory}
    room = msgspec.structs.replace(made.room, memory_left_bytes=gib * GIB, **bounds)
    return msgspec.structs.replace(made, room=room)


def test_memory_is_counted_for_those_whose_it_is() -> None:
    """Whatever limits the processor."""
    kept = Kept(("a", "b"), nodes=dict.fromkeys("ab", "rack-1"))
    own = {name: in_memory(name, gib, False, True) for name, gib in (("a", 0), ("b", 4))}
    made = make({}, own, kept)
    assert (made.more, made.limited_by) == (4, "memory"), "b has room, though a has none"
    shared = {name: in_memory(name, 11, True, False) for name in "ab"}
    assert make({}, shared, kept).more == 10, "of 11 GiB, half for each"


def test_a_container_that_joins_a_full_node_may_have_room() -> None:
    kept = Kept(("a", "b"), nodes=dict.fromkeys("ab", "rack-1"))
    full = in_memory("a", 0, True, True)
    new = msgspec.structs.replace(in_memory("b", 9, True, True), room=None)
    assert make({}, {"a": full}, kept).more == 0
    assert make({}, {"a": full, "b": new}, kept).more is None


@pytest.mark.redis
def test_those_that_offer_what_a_camera_needs_are_asked_alone(redis_server: RedisServer) -> None:
    with connect(redis_server.url) as client:
        for name, gpus in (("a", 1), ("b", 0)):
            said = Beat(run=name, number=1, node=f"rack-{name}", cores=4.0, gpus=gpus)
            beat(client, name, said)
        reports = {"a": worker("a", "rack-a", 3, 0.0), "b": worker("b", "rack-b", 2, 200.0)}
        publish(client, make(cameras(x="a", y="a"), reports, Kept(("a", "b"))))
        check_fleet(client, Needs())
        check_fleet(client, Needs(zone="yard"))  # which one that joins may be in: it waits
        words = "all workers that offer a GPU are full: 2 of 2 cameras fit. Add one"
        with pytest.raises(FleetFullError, match=words):
            check_fleet(client, Needs(gpu=True))
        drained = Kept(("a", "b"), draining=frozenset("a"))
        publish(client, make({}, reports, drained))
        check_fleet(client, Needs(gpu=True))


def test_nothing_is_said_of_room_before_it_was_measured() -> None:
    made = make({}, {"a": worker("a", "rack-1", 0, 300.0)}, Kept(("a",)))
    assert (made.more, made.each_percent, made.nodes[0].more) == (None, None, None)
    assert make({}, {}, Kept()).more is None


def test_workers_are_told_of_by_their_state() -> None:
    kept = Kept(
        ("a", "b", "c"),
        frozenset({"b"}),
        {"z": "no worker has a GPU"},
        [MoveReport(at=1.0, camera="x", source="c", target="a", why="c is gone")],
        moved=7,
    )
    reports = {"a": worker("a", "rack-1", 2, 90.0), "b": worker("b", "rack-2", 1, 90.0)}
    made = make(cameras(x="a", y="c", z=""), reports, kept)
    assert [(each.name, each.state, each.cameras) for each in made.workers] == [
        ("a", "running", 1),
        ("b", "draining", 0),
        ("c", "gone", 1),
    ]
    assert made.workers[0].load_percent == 40.0
    assert [(each.camera, each.why) for each in made.waiting] == [("z", "no worker has a GPU")]
    assert (made.moves[0].why, made.moved) == ("c is gone", 7)


def test_what_redis_takes_yet() -> None:
    use = Used(10.0, 2.0, 0, 0, 0, memory_bytes=4 * GIB, most_bytes=0)
    assert fit_in(use, 100) == Fit(300, "Redis's processor")  # 20 % by 100; 80 % may be used
    full = Used(10.0, 2.0, 0, 0, 0, memory_bytes=4 * GIB, most_bytes=5 * GIB)
    assert fit_in(full, 100) == Fit(12, "Redis's memory")  # 10 % are kept free


@pytest.mark.redis
def test_a_keeper_that_says_nothing_is_gone(redis_server: RedisServer) -> None:
    with connect(redis_server.url) as client:
        assert reported(client) is None
        publish(client, FleetReport(at=1.0, keeper="process 1 on rack-1"))
        found = reported(client)
        assert found is not None
        assert (found.state, found.keeper) == ("running", "process 1 on rack-1")
        client.pexpire(FLEET_REPORT, 86_400_000 - round(1000 * AWAY_S) - 1)
        found = reported(client)
        assert found is not None
        assert found.state == "gone"
        client.set(FLEET_REPORT, "{")
        assert reported(client) is None

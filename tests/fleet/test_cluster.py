"""Which workers a cluster of Ray is to have, by its nodes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any
from unittest.mock import MagicMock

import pytest

pytest.importorskip("ray", reason="Ray is not installed: ./run fleet up")

from ray._private import worker as ray_worker

from fleet import cluster as on_cluster
from fleet import ray_fleet
from fleet.cluster import ClusterFleet, Growth, Slot, able, lacking, slots
from fleet.running import Asked


def node(host: str, cpus: float = 4.0, gpus: float = 0.0, alive: bool = True) -> dict[str, Any]:
    """A node as Ray lists it."""
    resources = {"CPU": cpus, "GPU": gpus, "memory": 1e9}
    kept = {name: amount for name, amount in resources.items() if amount}
    return {"Alive": alive, "NodeManagerHostname": host, "Resources": kept}


def test_each_gpu_or_node_without_one_has_a_worker() -> None:
    nodes = able([node("head", 0), node("a"), node("gone", alive=False), node("b", 8, 2)])
    assert slots(nodes) == [
        Slot("a-1", 3.0, 0, None),
        Slot("b-1", 3.0, 1, 3.0),
        Slot("b-2", 3.0, 1, 3.0),
    ]


def test_a_node_that_joins_gets_a_worker_and_one_in_anothers_place_its_own_back() -> None:
    there = slots(able([node("a"), node("b")]))
    assert [slot.worker for slot in lacking(there, ())] == ["a-1", "b-1"]
    assert lacking(there, {"a-1", "b-1"}) == []
    joined = slots(able([node("a"), node("b"), node("c")]))
    assert [slot.worker for slot in lacking(joined, {"a-1", "b-1"})] == ["c-1"]
    replaced = slots(able([node("a"), node("c")]))
    assert lacking(replaced, {"a-1", "b-1"}) == [], "b-1 begins again on it"
    assert lacking(slots(able([node("a")])), {"a-1", "b-1"}) == []
    twice = slots(able([node("a"), node("a")]))
    assert [slot.worker for slot in lacking(twice, {"a-1"})] == ["a-2"]


def test_workers_that_run_are_found_whatever_their_nodes_are_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that began on a node that is gone runs on another, and ends with the fleet."""
    started: list[str] = []

    def start(_url: str, worker: str, **_: Any) -> str:
        started.append(worker)
        return worker

    monkeypatch.setattr(ray_fleet, "nodes", lambda: [node("a"), node("c"), node("d")])
    monkeypatch.setattr(ray_fleet, "running", lambda: {"a-1", "b-1"})
    monkeypatch.setattr(ray_fleet, "groups_of_keepers", set[int])
    monkeypatch.setattr(ray_fleet, "find_worker", lambda worker: worker)
    monkeypatch.setattr(ray_fleet, "start_worker", start)
    monkeypatch.setattr(ray_fleet, "start_keepers", lambda _url, _nodes: [])
    fleet = ClusterFleet("redis://127.0.0.1:1")
    fleet.grow()
    assert fleet.workers.keys() == {"a-1", "b-1", "c-1"}
    assert started == ["c-1"]
    fleet.grow()
    assert started == ["c-1"]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> MagicMock:
    """Ray, in which a fleet runs that another process started."""
    found = MagicMock(KEEPERS=3)
    found.nodes.return_value = [node("new"), node("b")]
    found.running.return_value = {"old-1", "b-1"}
    found.groups_of_keepers.return_value = {1, 2}
    found.find_worker.side_effect = found.start_keepers.side_effect = lambda *named: named
    monkeypatch.setattr("fleet.cluster.ray_fleet", found)
    return found


def test_what_runs_is_found_and_ended(cluster: MagicMock) -> None:
    with ClusterFleet("redis://h") as fleet:
        assert set(fleet.workers) == {"old-1", "b-1"}, "also those whose node has another name now"
        cluster.start_worker.assert_not_called()
    assert [call.args[0][1] for call in cluster.close_keepers.call_args_list] == [1, 2]
    (ended,) = cluster.close.call_args.args
    assert sorted(ended) == [("b-1",), ("old-1",)]


def test_what_is_to_stay_outlives_the_command(cluster: MagicMock) -> None:
    with ClusterFleet("redis://h", stays=True):
        pass
    cluster.close_keepers.assert_not_called()
    cluster.close.assert_not_called()
    cluster.leave.assert_called_once()
    with pytest.raises(ValueError, match="--stay: expected without --nodes"):
        Asked(nodes=2, stay=True)


def wait(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def said(growth: Growth, caplog: pytest.LogCaptureFixture) -> list[str]:
    growth.say()
    return caplog.messages


def test_a_failure_of_ray_is_said_once_and_the_next_look_goes_on(
    cluster: MagicMock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(on_cluster, "LOOK_S", 0.01)
    with ClusterFleet("redis://h") as fleet:
        cluster.nodes.side_effect = TimeoutError("the GCS server is dead\nat rpc_client.h:204")
        with Growth(fleet) as growth:
            wait(lambda: cluster.nodes.call_count > 3)
            growth.say()
            growth.say()
            words = (
                "Ray: the GCS server is dead; the fleet runs on, and new nodes are looked for again"
            )
            assert caplog.messages == [words]
            cluster.nodes.side_effect = None
            cluster.nodes.return_value = [node("new"), node("b"), node("c")]
            wait(lambda: cluster.start_worker.called)
            wait(lambda: said(growth, caplog)[1:])
            assert caplog.messages[1:] == ["Ray answers again"]
        assert not fleet.stays
    cluster.close_keepers.assert_called()


def test_what_ray_cannot_end_without_its_head_runs_on(
    cluster: MagicMock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As ``ray.nodes`` does not return before there is one."""
    for name in ("LOOK_S", "LATE_S", "JOIN_S"):
        monkeypatch.setattr(on_cluster, name, 0.01)
    is_back = threading.Event()
    try:
        with ClusterFleet("redis://h") as fleet:
            cluster.nodes.side_effect = lambda: is_back.wait() and []
            with Growth(fleet) as growth:
                wait(lambda: said(growth, caplog))
            assert caplog.messages == [
                "Ray: no answer for 0.01 s; the fleet runs on, and new nodes are looked for again",
                "Ray's head does not answer: keepers and workers run on",
            ]
        cluster.close_keepers.assert_not_called()
        cluster.leave.assert_called_once()
    finally:
        is_back.set()
        wait(lambda: "growth" not in {thread.name for thread in threading.enumerate()})


@pytest.mark.parametrize("nodes", [None, 2])
def test_a_password_is_no_part_of_a_command_line_that_ray_keeps(nodes: int | None) -> None:
    expected = r"--redis: redis://\*\*\*@h — .*; set MIRANTE_REDIS_URL instead"
    with pytest.raises(ValueError, match=expected) as error:
        Asked(nodes=nodes, redis_url="redis://:hunter2@h")
    assert "hunter2" not in str(error.value)


def test_what_a_dead_node_said_last_is_not_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As Ray's thread prints it, which gets it from the head."""
    monkeypatch.setattr(ray_worker, "_worker_logs_enabled", True)
    said = {"lines": ["(raylet) [state-dump] NodeManager:"], "pid": "raylet", "is_err": False}
    ray_worker.print_to_stdstream(said, ignore_prefix=False)
    assert "state-dump" in capsys.readouterr().out
    ray_fleet.be_quiet()
    ray_worker.print_to_stdstream(said, ignore_prefix=False)
    assert capsys.readouterr() == ("", "")

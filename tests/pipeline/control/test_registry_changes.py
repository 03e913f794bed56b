"""What a worker reads of a registry that changes: what concerns it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import redis

from mirante.keys import CAMERAS, CAMERAS_VERSION
from pipeline.control.entries import Desired
from pipeline.control.registry import Place, Registry, connect
from pipeline.control.versioned import KEPT_CHANGES, watch, write
from pipeline.worker.redis_server import RedisServer

pytestmark = pytest.mark.redis


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    with connect(redis_server.url) as client:
        yield client


def reads_of(client: redis.Redis, command: str = "hgetall") -> int:
    """Return how often a command was carried out so far."""
    return int(client.info("commandstats").get(f"cmdstat_{command}", {"calls": 0})["calls"])


def test_a_worker_reads_what_changed_and_not_what_others_have(client: redis.Redis) -> None:
    yard, dock = Registry(client, "yard"), Registry(client, "dock")
    dock.put("d", {"url": "test://"})
    yard.put("y", {"url": "test://"})
    assert list(yard.changes() or {}) == ["y"]
    for fps in (1, 2, 3):
        dock.put("d", {"url": "test://", "fps": fps})
    before = reads_of(client)
    assert yard.changes() is None, "nothing of its own"
    assert reads_of(client) == before
    yard.put("x", {"url": "test://"})
    dock.remove("d")
    before = reads_of(client)
    assert list(yard.changes() or {}) == ["x", "y"]
    assert (yard.changes(), reads_of(client)) == (None, before)
    yard.edit("x", {"fps": 7})
    assert (yard.changes() or {})["x"].spec["fps"] == 7
    yard.remove("y")
    assert list(yard.changes() or {}) == ["x"]


def test_a_worker_reads_nothing_of_moves_between_others(client: redis.Redis) -> None:
    """… and those that a camera of the fleet leaves, or comes to, are told in time."""
    entry = Desired("gate", {"url": "test://"}, "api", "a", fleet=True)
    with client.pipeline(transaction=True) as pipe:
        write(pipe, watch(pipe), {"gate": entry}, is_lost=False)
    workers = {name: Registry(client, name) for name in "abc"}
    assert {name: list(each.changes() or {}) for name, each in workers.items()} == {
        "a": ["gate"],
        "b": [],
        "c": [],
    }
    workers["c"].assign({"gate": Place("b", "a")})
    before = reads_of(client, "hmget")
    assert workers["c"].changes() is None
    of_nothing = reads_of(client, "hmget") - before
    assert list(workers["b"].changes() or {}) == ["gate"]
    assert reads_of(client, "hmget") - before - of_nothing > of_nothing
    assert (workers["a"].changes(), workers["a"].leaving) == ({}, {"gate"})
    Registry(client).pause("gate")
    assert (workers["a"].changes(), workers["a"].leaving) == ({}, set()), "nor does it run there"
    Registry(client).resume("gate")
    assert (workers["a"].changes(), workers["a"].leaving) == ({}, {"gate"})
    assert (workers["b"].changes(), workers["c"].changes()) == (None, None), "it is as it was"
    workers["c"].assign({"gate": Place("b")})
    assert (workers["a"].changes(), workers["a"].leaving) == ({}, set())
    Registry(client).edit("gate", {"fps": 3})
    assert (workers["c"].changes(), workers["c"].changes()) == (None, None)
    Registry(client).remove("gate")
    assert workers["b"].changes() == {}


@pytest.mark.parametrize("harm", ["older", "many", "other"])
def test_what_is_not_known_of_changes_is_read_whole(client: redis.Redis, harm: str) -> None:
    yard, dock = Registry(client, "yard"), Registry(client, "dock")
    yard.put("y", {"url": "test://"})
    assert list(yard.changes() or {}) == ["y"]
    if harm == "many":
        for fps in range(1, KEPT_CHANGES + 2):
            yard.put("y", {"url": "test://", "fps": fps})
    number = int(client.hget(CAMERAS_VERSION, "number") or 0)
    if harm != "many":
        entry = json.loads(client.hget(CAMERAS, "y") or "")
        client.hset(CAMERAS, "z", json.dumps({**entry, "name": "z"}))
    if harm == "older":  # a version that notes nothing
        left = f"{number + 1}:2"
        client.hset(CAMERAS_VERSION, mapping={"number": number + 1, "left": left})
    if harm == "other":  # a replica took over that had another change of that number
        client.hset(CAMERAS_VERSION, f"token:{number}", "another")
    dock.put("d", {"url": "test://"})
    before = reads_of(client)
    found = yard.changes() or {}
    assert list(found) == (["y"] if harm == "many" else ["y", "z"])
    assert reads_of(client) == before + 1

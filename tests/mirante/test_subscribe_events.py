"""Subscriptions to events on a real server: alone, beside frames, in groups, filtered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

import mirante
import mirante.aio
from mirante import Event, Frame, Status
from mirante.client.items import ReceivedEvent
from mirante.keys import key
from mirante.where import WhereError
from plugins.outbox.outbox import Outbox
from tests.support.awaited import once_awaited
from tests.support.redis_child import RedisChild
from tests.support.simulated_camera import frame
from tests.support.wire_frames import some_event

Until = Callable[..., Any]
STREAM = key("gate", "events")
EPOCH_MS = 1_763_899_600_000


def happen(
    server: RedisChild, outbox: Outbox, until: Until, numbers: Any, camera: str = "gate"
) -> None:
    """Publish events of two labels in turn, a second apart."""
    numbers = list(numbers)
    for number in numbers:
        label = ("person", "car")[number % 2]
        made = some_event(id=f"e{number}", camera=camera, label=label, seq=number)
        outbox.events(camera, EPOCH_MS + 1000 * number, [made])
    newest = f"{EPOCH_MS + 1000 * numbers[-1]}-0"
    until(lambda: server.client().xrange(key(camera, "events"), newest))


def subscribed(server: RedisChild, *args: Any, **options: Any) -> Any:
    facts = {"redis": server.url, "since": "0", "timeout_s": 0.3, "block_s": 0.1, **options}
    return mirante.subscribe(*args, **facts)


def ids(items: Any) -> list[str]:
    return [item.id for item in items]


def pending(server: RedisChild) -> int:
    return int(server.client().xpending(STREAM, "alarm")["pending"])


def test_an_event_as_it_was_published(server: RedisChild, outbox: Outbox, until: Until) -> None:
    began = time.time()
    happen(server, outbox, until, [0])
    [got] = subscribed(server, "gate", kinds=["events"])
    assert isinstance(got, ReceivedEvent)
    assert got.entry_id == f"{EPOCH_MS}-0"
    assert began - 0.001 <= got.sent <= got.received <= time.time()
    sent = some_event(id="e0", label="person", seq=0)
    assert all(getattr(got, name) == getattr(sent, name) for name in Event.__struct_fields__)


def test_beside_frames_and_states(server: RedisChild, outbox: Outbox, until: Until) -> None:
    happen(server, outbox, until, range(2))
    outbox.publish(frame(0))
    outbox.status(Status(camera="gate", state="running", reason="", ts=2.0, since=1.0))
    until(lambda: all(server.client().exists(key("gate", k)) for k in ("detections", "status")))
    kinds = ("detections", "masks", "events", "status")
    items = list(subscribed(server, "gate", kinds=kinds, where="label = car"))
    assert ids(item for item in items if isinstance(item, Event)) == ["e1"]
    assert sum(isinstance(item, Frame) for item in items) == 1, "a filter is of events alone"
    assert sum(isinstance(item, Status) for item in items) == 1


def test_of_several_cameras_and_those_that_come_later(
    server: RedisChild, outbox: Outbox, until: Until
) -> None:
    happen(server, outbox, until, [0])
    happen(server, outbox, until, [1], "yard")
    assert sorted(ids(subscribed(server, ["gate", "yard"], kinds=["events"]))) == ["e0", "e1"]
    cameras = ["yard", "ro?f"]

    def come() -> None:
        happen(server, outbox, until, [2], "roads")
        happen(server, outbox, until, [3], "roof")

    with (
        subscribed(server, cameras, kinds=["events"], since=None, timeout_s=60) as found,
        once_awaited(server, come),
    ):
        assert next(found).camera == "roof"


def test_where_to_begin(
    server: RedisChild, outbox: Outbox, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    happen(server, outbox, until, range(6))
    got = list(subscribed(server, "gate", kinds=["events"]))
    assert ids(got) == [f"e{n}" for n in range(6)]
    resumed = subscribed(server, "gate", kinds=["events"], since=got[2].entry_id)
    assert ids(resumed) == ["e3", "e4", "e5"]
    now_s = time.time()
    with monkeypatch.context() as patched:
        patched.setattr("time.time", lambda: now_s)  # stands still meanwhile
        ago_s = now_s - EPOCH_MS / 1000 - 3.5
        assert ids(subscribed(server, "gate", kinds=["events"], since=ago_s)) == ["e4", "e5"]


def test_a_group_is_durable_and_what_is_held_back_is_done(
    server: RedisChild, outbox: Outbox, until: Until
) -> None:
    facts: dict[str, Any] = {"kinds": ["events"], "group": "alarm", "where": "label = car"}
    happen(server, outbox, until, range(40))
    with subscribed(server, "gate", **facts, consumer="a") as consumer:
        assert [next(consumer).seq for _ in range(3)] == [1, 3, 5]  # 5 is not done
    held = pending(server)
    assert 0 < held < 16, "of one read, those of the other label are done"
    with subscribed(server, "gate", **facts, consumer="a") as consumer:
        assert [event.seq for event in consumer] == list(range(5, 40, 2))
    assert pending(server) == 0
    happen(server, outbox, until, range(40, 46, 2))
    with subscribed(server, "gate", **facts, consumer="a") as consumer:
        assert list(consumer) == []
    assert pending(server) == 0, "nothing passed, and nothing is left over"


def test_what_a_dead_consumer_held_is_filtered_too(
    server: RedisChild, outbox: Outbox, until: Until
) -> None:
    happen(server, outbox, until, range(4))
    facts: dict[str, Any] = {"kinds": ["events"], "group": "alarm", "claim_s": 0.2}
    with subscribed(server, "gate", **facts, consumer="dead") as dead:
        next(dead)
        time.sleep(0.3)
        with subscribed(server, "gate", **facts, consumer="heir", where="label = car") as heir:
            assert ids(heir) == ["e1", "e3"]
        assert pending(server) == 0


def test_what_is_no_event_is_passed_over(server: RedisChild, outbox: Outbox, until: Until) -> None:
    server.client().xadd(STREAM, {"json": "[]"}, id="5-0")
    server.client().xadd(STREAM, {"sent": "1"}, id="5-1")
    happen(server, outbox, until, [0])
    facts: dict[str, Any] = {"kinds": ["events"], "group": "alarm", "consumer": "a"}
    with subscribed(server, "gate", **facts) as consumer:
        assert ids(consumer) == ["e0"]
    assert pending(server) == 0


def test_a_message_of_a_later_version(server: RedisChild) -> None:
    later = msgspec.to_builtins(some_event(kind="object-lifted")) | {"version": "1.9", "mood": 3}
    server.client().xadd(STREAM, {"json": msgspec.json.encode(later), "sent": "5.5", "new": "x"})
    [got] = subscribed(server, "gate", kinds=["events"])
    assert (got.kind, got.sent) == ("object-lifted", 5.5)


def test_for_asyncio(server: RedisChild, outbox: Outbox, until: Until) -> None:
    happen(server, outbox, until, range(6))

    async def run(**options: Any) -> list[str]:
        facts: Any = {"redis": server.url, "since": "0", "timeout_s": 0.4, **options}
        async with mirante.aio.subscribe("gate", ["events"], **facts) as subscription:
            return [event.id async for event in subscription]

    assert asyncio.run(run(where="label = car")) == ["e1", "e3", "e5"]
    assert asyncio.run(run(where="label = car", group="alarm")) == ["e1", "e3", "e5"]
    assert pending(server) == 0
    with pytest.raises(WhereError, match=r'position 1: .* did you mean "label"'):
        mirante.aio.subscribe("gate", ["events"], where="lable = car")

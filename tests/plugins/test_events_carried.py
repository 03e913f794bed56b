"""Events on a real server: what stands in the streams, and the memory beside it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from mirante.counts import Digits
from mirante.events import Event
from mirante.keys import counts_key, key, memory_key
from plugins.outbox.outbox import Outbox
from plugins.outbox.retention import Retention
from plugins.outbox.step import read_saved
from tests.support.redis_child import RedisChild
from tests.support.redis_entries import entries
from tests.support.simulated_camera import frame

Until = Callable[..., Any]
EVENTS, IMAGES, MEMORY = key("gate", "events"), key("gate", "images"), memory_key("gate")


def event(number: int, **changes: Any) -> Event:
    facts: dict[str, Any] = {"kind": "line-crossed", "ts": time.time(), "line": "door"}
    return Event(id=f"e{number}", camera="gate", **{**facts, **changes})


def ids(server: RedisChild, stream: str = EVENTS) -> list[str]:
    return [json.loads(f[b"json"])["id"] for _, f in entries(server.client(), stream)]


def parts(server: RedisChild) -> dict[str, bytes]:
    saved = read_saved(server.client().get(MEMORY) or b"")  # type: ignore[arg-type]
    return {} if saved is None else saved.parts


def test_events_images_memory_and_counts_are_one_step(
    server: RedisChild, outbox: Outbox, until: Until
) -> None:
    hashes = [counts_key("gate", day) for day in ("2026-11-28", "2026-11-29")]
    counts = [Digits(hashes[1], "new||person", 3, "7"), Digits(hashes[0], "in|door|", 0, "a")]
    saved = {"track": b"\x00\xff", "zones": b""}
    outbox.events("gate", 5_000, [event(1), event(2), event(3)], {"e2": b"jpeg"}, saved, counts)
    outbox.events("gate", 4_000, [event(4)], saved=saved)  # the camera's clock went back
    until(lambda: len(ids(server)) == 4)
    client = server.client()
    names = [name.decode() for name, _ in entries(client, EVENTS)]
    assert names == ["5000-0", "5000-1", "5000-2", "5001-0"]
    assert [(n.decode(), f[b"jpeg"]) for n, f in entries(client, IMAGES)] == [("5000-1", b"jpeg")]
    assert ids(server) == ["e1", "e2", "e3", "e4"]
    assert parts(server) == saved
    assert client.hgetall(hashes[1]) == {b"new||person": b"0007"}
    assert client.hgetall(hashes[0]) == {b"in|door|": b"a"}
    assert 34 * 86_400 < client.ttl(hashes[0]) <= 35 * 86_400
    for name in (EVENTS, IMAGES, MEMORY):
        assert 6 * 86_400 < client.ttl(name) <= 7 * 86_400


def test_digits_are_written_at_their_place_and_a_hash_is_deleted(
    server: RedisChild, outbox: Outbox, until: Until
) -> None:
    new, old = (counts_key("gate", day) for day in ("2026-11-29", "2026-10-01"))
    client = server.client()
    client.hset(new, "f", "12345")
    client.hset(old, "f", "1")
    outbox.events("gate", 1, counts=[Digits(new, "f", 1, "ab"), Digits(old, "", 0, "", 0)])
    until(lambda: client.hget(new, "f") == b"1ab45")
    outbox.events("gate", 2, counts=[Digits(new, "f", 7, "z"), Digits(new, "f", 7, "y")])
    until(lambda: client.hget(new, "f") == b"1ab4500y")
    assert not client.exists(old)
    assert not client.exists(MEMORY), "none was given"


def test_a_successor_reads_what_was_published_behind_its_claim(
    server: RedisChild, until: Until
) -> None:
    first = Outbox(server.url)
    first.start()
    first.events("gate", 1, [event(1)], saved={"n": b"1"})
    until(lambda: ids(server) == ["e1"])
    second = Outbox(server.url)
    second.start()
    assert second.recall("gate", 30) == {"n": b"1"}
    first.events("gate", 2, [event(2)], saved={"n": b"2"})
    until(lambda: first.state.lost_events == {"gate": 1})
    assert (ids(server), parts(server)) == (["e1"], {"n": b"1"})
    second.close()
    first.close()


def test_a_memory_of_nobody_and_one_that_cannot_be_read(
    server: RedisChild, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    assert outbox.recall("gate", 30) == {}
    server.client().set(memory_key("yard"), b"\xc1 not MessagePack")
    assert outbox.recall("yard", 30) == {}
    assert "yard: its memory in Redis cannot be read" in caplog.text


def test_without_redis_a_memory_is_not_waited_for_long(folder: Any) -> None:
    outbox = Outbox(f"unix://{folder}/none")
    outbox.start()
    begun_s = time.monotonic()
    assert outbox.recall("gate", 0.2) is None
    assert time.monotonic() - begun_s < 30
    outbox.close(0)


@pytest.mark.own_redis
def test_events_of_an_outage_come_when_their_frames_are_long_gone(
    server: RedisChild, until: Until
) -> None:
    outbox = Outbox(server.url, ring_s=0.2)
    outbox.start()
    outbox.events("gate", 1, [event(0)], saved={"n": b"0"})
    until(lambda: ids(server) == ["e0"])
    server.kill()
    for number in range(1, 40):
        outbox.publish(frame(number))
        outbox.events("gate", number, [event(number)], saved={"n": b"%d" % number})
    until(lambda: outbox.state.lost.get("gate", 0) > 30)
    server.start()
    until(lambda: ids(server)[-1:] == ["e39"])
    assert ids(server)[-39:] == [f"e{number}" for number in range(1, 40)]
    assert parts(server) == {"n": b"39"}
    assert outbox.state.lost_events == {"gate": 0}
    outbox.close()


def test_events_say_the_epoch_that_their_frames_are_published_with(
    server: RedisChild, until: Until
) -> None:
    """The clock went back between two runs: the camera's epoch is not later than the stream's."""
    early = {"json": json.dumps({"epoch": 9_000})}
    server.client().xadd(key("gate", "detections"), early, id="5-0")  # type: ignore[arg-type]
    outbox = Outbox(server.url)
    outbox.publish(frame(0, epoch=7_000))
    outbox.events("gate", 6, [event(1, seq=0, epoch=7_000), event(2, line="", epoch=7_000)])
    outbox.start()
    until(lambda: len(ids(server)) == 2)
    messages = [json.loads(f[b"json"]) for _, f in entries(server.client(), EVENTS)]
    assert [message["epoch"] for message in messages] == [9_001, 9_001]
    outbox.close()


def test_a_quiet_camera_keeps_no_image_for_longer_than_it_says(
    server: RedisChild, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plugins.outbox.command._RENEW_S", 0.0)
    outbox = Outbox(server.url, Retention(events_s=0.3, images_s=0.2))
    outbox.start()
    outbox.events("gate", 1_000, [event(1)], {"e1": b"j" * 5000})
    until(lambda: server.client().xlen(IMAGES) == 1)

    def is_gone() -> bool:
        outbox.events("gate", 2_000, saved={})
        return server.client().xlen(IMAGES) == 0

    until(is_gone)
    outbox.close()


def test_a_restarted_worker_goes_on_with_the_age_of_what_it_finds(
    server: RedisChild, until: Until
) -> None:
    now_ms, week_ms = round(time.time() * 1000), 7 * 86_400_000
    for age_ms in (week_ms + 60_000, week_ms - 60_000):
        image = {"jpeg": b"j" * 5000}
        server.client().xadd(IMAGES, image, id=f"{now_ms - age_ms}-0")  # type: ignore[arg-type]
    outbox = Outbox(server.url)
    outbox.start()
    outbox.events("gate", now_ms, saved={})
    until(lambda: server.client().xlen(IMAGES) == 1)
    outbox.close()


def test_a_memory_without_events_is_msgpack_with_its_time(
    server: RedisChild, outbox: Outbox, until: Until
) -> None:
    outbox.events("gate", 77, saved={"zones": b"z"})
    raw: Any = until(lambda: server.client().get(MEMORY))
    assert msgspec.msgpack.decode(raw) == {"captured_ms": 77, "parts": {"zones": b"z"}}
    assert not server.client().exists(EVENTS)

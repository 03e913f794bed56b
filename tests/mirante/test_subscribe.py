"""Plain subscriptions on a real server."""

import itertools
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

import mirante
from mirante import Counts, Frame, Gap, Status
from mirante.keys import key
from plugins.outbox.outbox import Outbox
from tests.support.awaited import once_awaited
from tests.support.redis_child import RedisChild
from tests.support.redis_entries import entries
from tests.support.simulated_camera import BOXES, LANES, frame

Until = Callable[..., Any]


def publish(outbox: Outbox, until: Until, numbers: Any, camera: str = "gate", **facts: Any) -> None:
    before = outbox.state.sent.get(camera, 0)
    numbers = list(numbers)
    for number in numbers:
        outbox.publish(frame(number, camera, **facts))
    until(lambda: outbox.state.sent[camera] == before + len(numbers))


def everything(server: RedisChild, *args: Any, **options: Any) -> list[Any]:
    options = {"redis": server.url, "since": "0", "timeout_s": 0.3, **options}
    with mirante.subscribe(*args, **options) as subscription:
        return list(subscription)


def test_a_frame_as_the_readme_shows_it(server: RedisChild, outbox: Outbox, until: Until) -> None:
    publish(outbox, until, [0], masks=(LANES,))
    [got] = everything(server, "gate", kinds=("detections", "masks"))
    assert isinstance(got, Frame)
    np.testing.assert_allclose(got.detections.xyxy, BOXES.xyxy)
    np.testing.assert_array_equal(got.masks[0].plane("lane"), LANES.plane("lane"))
    assert (got.camera, got.seq, got.lost_before, got.masks_lost) == ("gate", 0, 0, 0)
    assert got.entry_id == f"{got.captured_ns // 1_000_000}-0"
    assert got.captured <= got.sent <= got.received
    assert got.latency_s == pytest.approx(got.received - got.captured)


def test_only_what_is_new(server: RedisChild, outbox: Outbox, until: Until) -> None:
    publish(outbox, until, range(3))
    with (
        mirante.subscribe("gate", redis=server.url, timeout_s=60, block_s=0.1) as subscription,
        once_awaited(server, publish, outbox, until, range(3, 6)),
    ):
        got = list(itertools.islice(subscription, 3))
    assert [f.seq for f in got] == [3, 4, 5]
    assert [f.lost_before for f in got] == [0, 0, 0]


def test_where_to_begin(
    server: RedisChild, outbox: Outbox, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    base_ns = (time.time_ns() // 1_000_000 - 10_000) * 1_000_000
    for number in range(10):
        publish(outbox, until, [number], captured_ns=base_ns + number * 1_000_000_000)
    frames = everything(server, "gate")
    assert [f.seq for f in frames] == list(range(10))
    moment = datetime.fromtimestamp(base_ns / 1e9 + 4, UTC)
    assert [f.seq for f in everything(server, "gate", since=moment)] == list(range(4, 10))
    now_s = time.time()
    with monkeypatch.context() as patched:
        patched.setattr("time.time", lambda: now_s)  # stands still meanwhile
        ago_s = now_s - base_ns / 1e9 - 5.5
        assert [f.seq for f in everything(server, "gate", since=ago_s)] == list(range(6, 10))
    resumed = everything(server, "gate", since=frames[6].entry_id)
    assert [f.seq for f in resumed] == [7, 8, 9]


def test_more_frames_than_one_read_holds(server: RedisChild, outbox: Outbox, until: Until) -> None:
    publish(outbox, until, range(300), masks=(LANES,))
    got = everything(server, "gate", kinds=("detections", "masks"))
    assert [f.seq for f in got] == list(range(300))
    assert all(len(f.masks) == 1 for f in got)


def test_all_cameras_and_those_that_come_later(
    server: RedisChild, outbox: Outbox, until: Until
) -> None:
    publish(outbox, until, [0])
    publish(outbox, until, [0], "yard")
    server.client().xadd("mirante:{not a camera}:detections", {"json": "{}"})
    subscription = mirante.subscribe("*", redis=server.url, since="0", block_s=0.1, timeout_s=60)
    assert {next(subscription).camera, next(subscription).camera} == {"gate", "yard"}
    publish(outbox, until, range(4), "roof")
    assert [(f.camera, f.seq) for f in itertools.islice(subscription, 4)] == [
        ("roof", n) for n in range(4)
    ]
    subscription.close()


def test_states(server: RedisChild, outbox: Outbox, until: Until) -> None:
    publish(outbox, until, [0])
    outbox.status(Status(camera="gate", state="failed", reason="401", ts=2.0, since=1.0, attempt=3))
    until(lambda: server.client().exists(key("gate", "status")))
    got = everything(server, "gate", kinds=("detections", "status"))
    assert {type(item) for item in got} == {Frame, Status}
    [status] = [item for item in got if isinstance(item, Status)]
    assert (status.state, status.reason, status.attempt) == ("failed", "401", 3)


def test_masks_alone(server: RedisChild, outbox: Outbox, until: Until) -> None:
    publish(outbox, until, [0])
    publish(outbox, until, [1], masks=(LANES,))
    [got] = everything(server, "gate", kinds="masks")
    assert (got.seq, len(got.masks), len(got.detections), got.lost_before) == (1, 1, 0, 0)


def test_masks_that_were_trimmed_are_missed(
    server: RedisChild, outbox: Outbox, until: Until
) -> None:
    publish(outbox, until, range(4), masks=(LANES, LANES))
    publish(outbox, until, [4])
    server.client().xtrim(key("gate", "masks"), maxlen=1, approximate=False)
    got = everything(server, "gate", kinds=("detections", "masks"))
    assert [f.masks_lost for f in got] == [2, 2, 2, 0, 0]
    assert [len(f.masks) for f in got] == [0, 0, 0, 2, 0]


def test_a_slow_consumer_can_prove_what_was_trimmed(
    server: RedisChild, outbox: Outbox, until: Until
) -> None:
    gaps: list[Gap] = []
    subscription = mirante.subscribe(
        "gate", redis=server.url, since="0", on_gap=gaps.append, timeout_s=0.5
    )
    publish(outbox, until, range(5))
    assert next(subscription).seq == 0
    publish(outbox, until, range(5, 100))
    server.client().xtrim(key("gate", "detections"), maxlen=10, approximate=False)
    rest = list(subscription)
    assert [f.seq for f in rest] == [1, 2, 3, 4, *range(90, 100)]
    assert [f.lost_before for f in rest if f.lost_before] == [85]
    assert rest[4].lost_before == 85
    assert gaps == [Gap("gate", 85, rest[4].entry_id, "trimmed before it was read, or never sent")]
    assert subscription.lost == {"gate": 85}


def test_frames_dropped_on_purpose_are_no_gap(
    server: RedisChild, outbox: Outbox, until: Until
) -> None:
    for number, published in ((0, 1), (7, 2), (20, 3)):
        counts = Counts(number + 1, published, {"rate": number + 1 - published}, 0)
        publish(outbox, until, [number], counts=counts)
    assert [f.lost_before for f in everything(server, "gate")] == [0, 0, 0]


def test_resuming_behind_an_entry_that_is_gone_says_so(
    server: RedisChild, outbox: Outbox, until: Until
) -> None:
    publish(outbox, until, range(10))
    frames = everything(server, "gate")
    server.client().xtrim(key("gate", "detections"), maxlen=5, approximate=False)
    gaps: list[Gap] = []
    resumed = everything(server, "gate", since=frames[2].entry_id, on_gap=gaps.append)
    assert [f.seq for f in resumed] == [5, 6, 7, 8, 9]
    assert [f.lost_before for f in resumed] == [None, 0, 0, 0, 0]
    assert [g.frames for g in gaps] == [None]


def test_an_entry_that_is_no_message_is_told_and_counted(
    server: RedisChild, outbox: Outbox, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    publish(outbox, until, [0])
    publish(outbox, until, [1])
    entry_id, _ = entries(server.client(), key("gate", "detections"))[-1]
    server.client().xdel(key("gate", "detections"), entry_id)
    bad = f"{int(entry_id.split(b'-')[0]) + 1}-0"
    server.client().xadd(key("gate", "detections"), {"json": "{", "sent": "x"}, id=bad)
    publish(outbox, until, [2], captured_ns=time.time_ns() + 5_000_000_000)
    got = everything(server, "gate")
    assert [(f.seq, f.lost_before) for f in got] == [(0, 0), (2, 1)]
    assert f"{bad} is no message" in caplog.text


@pytest.mark.own_redis
def test_redis_restarted_under_a_subscriber(
    server: RedisChild, outbox: Outbox, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    subscription = mirante.subscribe("gate", redis=server.url, since="0", block_s=0.2, timeout_s=60)
    publish(outbox, until, range(5))
    assert [next(subscription).seq for _ in range(5)] == list(range(5))
    server.kill()
    for number in range(5, 10):
        outbox.publish(frame(number))

    def said() -> list[str]:
        return [r.message for r in caplog.records if r.name == "mirante.client"]

    def is_missed() -> bool:
        return any("connection refused" in m or "connection lost" in m for m in said())

    restart = threading.Thread(target=lambda: (until(is_missed), server.start()))
    restart.start()
    got = list(itertools.islice(subscription, 5))
    restart.join()
    assert [(f.seq, f.lost_before) for f in got] == [(n, 0) for n in range(5, 10)]
    assert sum(": back" in message for message in said()) == 1
    subscription.close()


def test_waiting_for_a_redis_that_is_not_there_yet(folder: Any) -> None:
    server = RedisChild(folder)
    start = threading.Timer(0.5, server.start)
    start.start()
    begun_s = time.monotonic()
    assert list(mirante.subscribe("gate", redis=server.url, timeout_s=1.5, block_s=0.1)) == []
    assert time.monotonic() - begun_s >= 1.5
    start.join()
    server.kill()


def test_close_from_another_thread_ends_the_loop(server: RedisChild) -> None:
    subscription = mirante.subscribe("gate", redis=server.url, block_s=0.2)
    threading.Timer(0.3, subscription.close).start()
    assert list(subscription) == []


def test_an_interrupt_loses_nothing(
    server: RedisChild, outbox: Outbox, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(outbox, until, range(5))
    subscription = mirante.subscribe("gate", redis=server.url, since="0", timeout_s=60)
    perform, calls = subscription._perform, itertools.count()

    def interrupted(step: Any) -> Any:
        reply = perform(step)
        if next(calls) == 2:
            raise KeyboardInterrupt
        return reply

    monkeypatch.setattr(subscription, "_perform", interrupted)
    got: list[int] = []
    for _ in range(2):
        with suppress(KeyboardInterrupt):
            got.extend(received.seq for received in itertools.islice(subscription, 5 - len(got)))
    assert got == list(range(5))

"""The asyncio twin: the same items by the same rules."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import mirante
import mirante.aio
from mirante.keys import key
from plugins.outbox.outbox import Outbox
from tests.support.redis_child import RedisChild
from tests.support.redis_entries import entries
from tests.support.simulated_camera import LANES, frame

Until = Callable[..., Any]


def publish(outbox: Outbox, until: Until, numbers: range, **facts: Any) -> None:
    for number in numbers:
        outbox.publish(frame(number, **facts))
    until(lambda: outbox.state.sent["gate"] == numbers.stop)


def collect(server: RedisChild, *args: Any, **options: Any) -> tuple[list[Any], dict[str, int]]:
    async def run() -> tuple[list[Any], dict[str, int]]:
        facts = {"redis": server.url, "since": "0", "timeout_s": 0.4, **options}
        async with mirante.aio.subscribe(*args, **facts) as subscription:
            return [item async for item in subscription], dict(subscription.lost)

    return asyncio.run(run())


def test_frames_with_masks(server: RedisChild, outbox: Outbox, until: Until) -> None:
    publish(outbox, until, range(150), masks=(LANES,))
    got, lost = collect(server, "gate", ("detections", "masks"))
    assert [f.seq for f in got] == list(range(150))
    assert all(len(f.masks) == 1 and f.lost_before == 0 for f in got)
    assert lost == {}


def test_groups(server: RedisChild, outbox: Outbox, until: Until) -> None:
    publish(outbox, until, range(20))
    got, _ = collect(server, "gate", group="alarm", consumer="a")
    assert [f.seq for f in got] == list(range(20))
    assert server.client().xpending(key("gate", "detections"), "alarm")["pending"] == 0


def test_loss(server: RedisChild, outbox: Outbox, until: Until) -> None:
    publish(outbox, until, range(3))
    stream = key("gate", "detections")
    server.client().xdel(stream, entries(server.client(), stream)[1][0])
    got, lost = collect(server, "gate")
    assert [(f.seq, f.lost_before) for f in got] == [(0, 0), (2, 1)]
    assert lost == {"gate": 1}


@pytest.mark.own_redis
def test_redis_restarted(server: RedisChild, outbox: Outbox, until: Until) -> None:
    async def run() -> list[int]:
        options: Any = {"redis": server.url, "since": "0", "block_s": 0.2, "timeout_s": 60}
        subscription = mirante.aio.subscribe("gate", **options)
        got = [(await anext(subscription)).seq for _ in range(3)]
        server.kill()
        for number in (3, 4):
            outbox.publish(frame(number))
        asyncio.get_running_loop().call_later(0.5, server.start)
        got += [(await anext(subscription)).seq for _ in range(2)]
        await subscription.close()
        return got

    publish(outbox, until, range(3))
    assert asyncio.run(run()) == [0, 1, 2, 3, 4]


def test_a_cancelled_wait_loses_nothing(server: RedisChild, outbox: Outbox, until: Until) -> None:
    async def run() -> list[int]:
        options: Any = {"redis": server.url, "since": "0", "group": "alarm", "timeout_s": 60}
        got: list[int] = []
        cancelled = 0
        async with mirante.aio.subscribe("gate", **options) as subscription:
            while len(got) < 5:
                try:
                    got.append((await asyncio.wait_for(anext(subscription), 0.05)).seq)
                except TimeoutError:
                    cancelled += 1
                    if cancelled == 2:
                        await asyncio.to_thread(publish, outbox, until, range(5))
            subscription.ack()
        return got

    assert asyncio.run(run()) == [0, 1, 2, 3, 4]
    assert server.client().xpending(key("gate", "detections"), "alarm")["pending"] == 0


def test_impatience_during_a_pause_before_reconnecting_is_no_error() -> None:
    async def run() -> int:
        times = 0
        async with mirante.aio.subscribe("gate", redis="redis://127.0.0.1:1") as subscription:
            for _ in range(30):
                try:
                    await asyncio.wait_for(anext(subscription), 0.02)
                except TimeoutError:
                    times += 1
        return times

    assert asyncio.run(run()) == 30


def test_a_wrong_password_is_told_at_once(server: RedisChild) -> None:
    url = server.url.replace("://", "://eve:s3cr3t-pw@")
    with pytest.raises(mirante.SubscribeError, match="wrong user name or password") as caught:
        asyncio.run(anext(mirante.aio.subscribe("gate", redis=url)))
    assert "s3cr3t" not in str(caught.value)

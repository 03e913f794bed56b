"""The feed over a real Redis: who is listened to, what meets, and a server that goes and comes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import redis

from dashboard.live import redis_feed
from dashboard.live.bundle import Bundle
from dashboard.live.redis_feed import RedisFeed
from mirante.keys import key
from mirante.redis_url import RedisUrl
from mirante.wire.framed import framed
from pipeline.worker.redis_server import RedisServer

pytestmark = pytest.mark.redis


@pytest.fixture
def server(redis_server: RedisServer) -> RedisServer:
    return redis_server


class Followed:
    """A feed at work, what it gave, and the other side of its Redis."""

    def __init__(self, server: RedisServer, client: redis.Redis) -> None:
        self.given: list[Bundle] = []
        self.feed = RedisFeed(RedisUrl(server.url), self.given.append)
        self.client = client
        self.number = 0

    def listeners(self, *cameras: str) -> list[int]:
        told = self.client.pubsub_numsub(*(key(camera, "preview") for camera in cameras))
        return [count for _, count in told]

    def publish(self, camera: str) -> int:
        """An image and its results; its number."""
        self.number += 1
        head = {"camera": camera, "seq": self.number, "epoch": 1}
        self.client.publish(key(camera, "preview"), framed(head, b"jpeg"))
        self.client.xadd(key(camera, "detections"), {"json": json.dumps(head | {"masks": 0})})
        return self.number

    def numbers(self, camera: str) -> list[int]:
        return [json.loads(one.parts[1])["seq"] for one in self.given if one.camera == camera]

    async def until(self, condition: Callable[[], object], timeout_s: float = 60.0) -> None:
        end_s = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end_s, "waited in vain"
            await asyncio.sleep(0.02)

    async def comes(self, camera: str) -> None:
        """Publishes until a frame that was published comes."""

        def arrived() -> bool:
            try:
                tried.append(self.publish(camera))
            except redis.RedisError:  # while it is away
                self.client.close()
            return bool(set(tried) & set(self.numbers(camera)))

        tried: list[int] = []
        await self.until(arrived)


def following(server: RedisServer, test: Callable[[Followed], Awaitable[None]]) -> None:
    async def run() -> None:
        with redis.Redis.from_url(server.url, protocol=2) as client:
            followed = Followed(server, client)
            task = asyncio.create_task(followed.feed.run())
            try:
                await test(followed)
                assert not task.done(), "it ended"
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            await followed.until(lambda: followed.listeners("gate", "yard") == [0, 0])

    asyncio.run(run())


@pytest.mark.own_redis
def test_it_listens_to_what_is_watched_and_to_nothing_else(server: RedisServer) -> None:
    async def test(followed: Followed) -> None:
        assert followed.listeners("gate", "yard") == [0, 0]
        followed.feed.watch(frozenset({"gate"}))
        await followed.comes("gate")
        assert followed.listeners("gate", "yard") == [1, 0]
        followed.feed.watch(frozenset({"yard"}))
        await followed.comes("yard")
        await followed.until(lambda: followed.listeners("gate", "yard") == [0, 1])
        followed.feed.watch(frozenset())
        await followed.until(lambda: followed.listeners("gate", "yard") == [0, 0])
        await followed.until(lambda: "xread" not in commands(followed.client))

    following(server, test)


def commands(client: redis.Redis) -> set[str]:
    """What the connections of Redis did last."""
    return {str(one["cmd"]) for one in client.client_list()}


def test_only_frames_from_now_on_come(server: RedisServer) -> None:
    async def test(followed: Followed) -> None:
        for _ in range(5):
            followed.publish("gate")
        followed.feed.watch(frozenset({"gate"}))
        await followed.comes("gate")
        assert min(followed.numbers("gate")) > 5

    following(server, test)


@pytest.mark.own_redis
def test_it_goes_on_when_redis_was_killed(server: RedisServer) -> None:
    async def kill(followed: Followed) -> None:
        pid = server.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await followed.until(lambda: server.pid not in {pid, None})

    async def test(followed: Followed) -> None:
        followed.feed.watch(frozenset({"gate", "yard"}))
        await followed.comes("gate")
        for _ in range(2):
            await kill(followed)
            await followed.comes("gate")
            await followed.comes("yard")
        assert followed.listeners("gate", "yard") == [1, 1]

    following(server, test)


def test_a_camera_with_broken_messages_ends_no_other(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(followed: Followed) -> None:
        followed.feed.watch(frozenset({"gate", "yard"}))
        await followed.comes("gate")
        followed.client.publish(key("yard", "preview"), b"no picture")
        followed.client.xadd(key("yard", "detections"), {"json": "{"})
        followed.client.xadd(key("yard", "detections"), {"other": "field"})
        followed.client.xadd(key("yard", "masks"), {"json": "[]"})
        await followed.comes("gate")
        await followed.comes("yard")

    following(server, test)
    assert "camera yard" in caplog.text


def test_a_key_that_is_no_stream_ends_no_other(server: RedisServer) -> None:
    async def test(followed: Followed) -> None:
        followed.client.set(key("gate", "masks"), "no stream")
        followed.feed.watch(frozenset({"gate", "yard"}))
        await followed.comes("yard")
        followed.client.delete(key("yard", "masks"))
        followed.client.set(key("yard", "masks"), "no stream any more")
        await followed.comes("yard")  # its frames have no masks

    following(server, test)


def test_a_stream_without_entries_is_followed_from_its_newest_again(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Redis 7.0 may wake a reader for a stream that lost its data, and give nothing of it."""
    read, empty = redis_feed._entries, [True]

    async def entries(client: Any, cursors: Any) -> list[Any] | None:
        if cursors and empty:
            empty.clear()
            return [[stream, []] for stream in cursors]
        return await read(client, cursors)

    monkeypatch.setattr(redis_feed, "_entries", entries)

    async def test(followed: Followed) -> None:
        followed.feed.watch(frozenset({"gate"}))
        await followed.comes("gate")

    following(server, test)
    assert not empty
    assert "failed" not in caplog.text


def test_pictures_whose_results_never_come_are_counted(server: RedisServer) -> None:
    async def test(followed: Followed) -> None:
        followed.feed.watch(frozenset({"gate"}))
        await followed.comes("gate")
        for number in range(1000, 1030):
            head = {"camera": "gate", "seq": number, "epoch": 1}
            followed.client.publish(key("gate", "preview"), framed(head, b"jpeg"))
        await followed.until(lambda: followed.feed.unpaired > 0)
        before = followed.feed.unpaired
        followed.feed.watch(frozenset())
        assert followed.feed.unpaired >= before, "counted, though watched no longer"

    following(server, test)

"""Images and results of the cameras that somebody watches, and of no others."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, aclosing
from functools import partial
from typing import Any

import redis

from dashboard.ending import end
from dashboard.live.bundle import Bundle
from dashboard.live.pairing import Pairing
from dashboard.redis_clients import async_client
from mirante.backoff import Backoff
from mirante.keys import Kind, camera_of, key
from mirante.redis_url import RedisUrl, async_exchange

log = logging.getLogger(__name__)

FOLLOW_S = 0.1  # a change of what is watched is followed within this
BLOCK_MS = 100
TURN_S = 0.02  # between two looks at the streams of a cluster while nothing comes
LOOK_S = 1.0
COUNT = 64
COMPLAIN_EVERY_S = 10.0
Cursors = dict[bytes, bytes]  # by stream the ID of the entry read last


class RedisFeed:
    """Follows the cameras of ``watch`` until cancelled; waits, asleep, while there are none.

    A lost Redis is tried again with growing waits; what is lost meanwhile is not asked for again,
    as images are of the moment.

    Args:
        url: address of Redis.
        give: takes each frame that is complete, on the event loop; quick.
    """

    def __init__(self, url: RedisUrl, give: Callable[[Bundle], None]) -> None:
        self._url = url
        self._give = give
        self._pairings: dict[str, Pairing] = {}
        self._watched = asyncio.Event()
        self._complained_s = float("-inf")
        self._gone_unpaired = 0

    @property
    def unpaired(self) -> int:
        """Images discarded because no results of their frame came in time."""
        return self._gone_unpaired + sum(one.unpaired for one in self._pairings.values())

    def watch(self, cameras: frozenset[str]) -> None:
        """Follow these cameras from now on."""
        for camera in self._pairings.keys() - cameras:
            self._gone_unpaired += self._pairings.pop(camera).unpaired
        for camera in cameras - self._pairings.keys():
            self._pairings[camera] = Pairing(camera)
        if cameras:
            self._watched.set()
        else:
            self._watched.clear()

    async def run(self) -> None:
        """Works until cancelled."""
        following = [self._again(follow) for follow in (self._pictures, self._results)]
        tasks = [asyncio.create_task(one) for one in following]
        try:
            await asyncio.wait(tasks)
        finally:
            await end(tasks)  # each closes its connections

    async def _again(self, follow: Callable[[], Any]) -> None:
        """Follow while anything is watched, again after each loss of Redis."""
        backoff = Backoff()
        while True:
            await self._watched.wait()
            began_s = time.monotonic()
            try:
                await follow()
                backoff.reset()
                continue
            except (redis.RedisError, OSError) as error:
                log.debug("%s", self._url.explain(error))
            except Exception:  # else all pages would stand still and nobody knew why
                log.exception("following cameras failed; trying again")
            if time.monotonic() - began_s > 1.0:
                backoff.reset()
            await asyncio.sleep(backoff.next_s())

    async def _pictures(self) -> None:
        """Listens on the channels; the worker encodes nothing for a channel without a listener."""
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(async_client(self._url))
            await client.ping()
            channels = await stack.enter_async_context(client.pubsub())
            listening: set[str] = set()
            looked_s = time.monotonic()
            while self._watched.is_set():
                wanted = set(self._pairings)
                if new := wanted - listening:
                    await channels.subscribe(*(key(camera, "preview") for camera in new))
                if gone := listening - wanted:
                    await channels.unsubscribe(*(key(camera, "preview") for camera in gone))
                listening = wanted
                if time.monotonic() >= looked_s + LOOK_S:
                    looked_s = time.monotonic()
                    await client.ping()  # channels do not tell that another primary took over
                message = await channels.get_message(timeout=FOLLOW_S)
                if message is not None and message["type"] == "message":
                    camera = camera_of(message["channel"].decode())
                    self._take(camera, partial(Pairing.picture, message=message["data"]))

    async def _results(self) -> None:
        """Reads the streams behind the newest entry that each has when it is first asked for."""
        async with aclosing(async_client(self._url)) as client:
            cursors: Cursors = {}
            while self._watched.is_set():
                wanted = [key(c, kind).encode() for c in self._pairings for kind in _KINDS]
                cursors = {stream: cursors[stream] for stream in wanted if stream in cursors}
                if new := [stream for stream in wanted if stream not in cursors]:
                    cursors |= await _newest(client, new)
                reply = await self._entries(client, cursors)
                if reply is None:
                    cursors = {}
                    continue
                for stream, entries in reply:
                    if not entries:  # Redis woke up for entries below the cursor: it lost its data
                        del cursors[stream]
                        continue
                    cursors[stream] = entries[-1][0]
                    camera, kind = camera_of(stream.decode()), stream.rpartition(b":")[2]
                    for entry_id, flat in entries:
                        self._take(camera, _result(kind, entry_id, flat))

    async def _entries(self, client: Any, cursors: Cursors) -> list[Any] | None:
        """Return what is new in streams; None if one is no longer a stream."""
        if not self._url.is_cluster:
            return await _entries(client, cursors)
        parts: dict[str, Cursors] = {}  # by camera: a command of a cluster is about one
        for stream, cursor in cursors.items():
            parts.setdefault(camera_of(stream.decode()), {})[stream] = cursor
        asked = [("XREAD", "COUNT", COUNT, "STREAMS", *p, *p.values()) for p in parts.values()]
        replies = await async_exchange(client, asked)
        found = [each for reply in replies if isinstance(reply, list) for each in reply]
        if not found:
            await asyncio.sleep(TURN_S)
        return found

    def _take(self, camera: str, step: Callable[[Pairing], Bundle | None]) -> None:
        """Take one entry or image of a camera; a bad one must not affect other cameras."""
        pairing = self._pairings.get(camera)
        if pairing is None:
            return
        try:
            bundle = step(pairing)
        except ValueError as error:
            if time.monotonic() - self._complained_s > COMPLAIN_EVERY_S:
                self._complained_s = time.monotonic()
                log.warning("camera %s: %s", camera, error)
            return
        if bundle is not None:
            self._give(bundle)


_KINDS: tuple[Kind, ...] = ("detections", "masks")


def _result(kind: bytes, entry_id: bytes, flat: list[bytes]) -> Callable[[Pairing], Bundle | None]:
    fields = dict(zip(flat[::2], flat[1::2], strict=True))
    if kind == b"masks":
        return lambda pairing: pairing.masks(entry_id, fields)
    return lambda pairing: pairing.detections(entry_id, fields.get(b"json", b""))


async def _newest(client: Any, streams: list[bytes]) -> Mapping[bytes, bytes]:
    """The ID of the newest entry of each stream; 0-0 of one that does not exist. One that Redis
    does not give is left out: it is a key of another type, or not for us, and the others are.
    """
    asked = [("XREVRANGE", stream, "+", "-", "COUNT", 1) for stream in streams]
    replies = await async_exchange(client, asked)
    return {
        stream: reply[0][0] if reply else b"0-0"
        for stream, reply in zip(streams, replies, strict=True)
        if not isinstance(reply, redis.RedisError)
    }


async def _entries(client: Any, cursors: Cursors) -> list[Any] | None:
    """Return what is new in streams within ``BLOCK_MS``; None if one is no longer a stream."""
    if not cursors:
        await asyncio.sleep(FOLLOW_S)
        return []
    asked = ("COUNT", COUNT, "BLOCK", BLOCK_MS, "STREAMS", *cursors, *cursors.values())
    try:
        return await client.execute_command("XREAD", *asked) or []
    except redis.ResponseError:
        await asyncio.sleep(FOLLOW_S)
        return None

"""The tracks of a camera's last minutes, read from Redis and counted again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import redis
from fastapi import HTTPException

from mirante.keys import EntryId, key
from mirante.wire.errors import WireError
from mirante.zones.recount import Recount
from mirante.zones.rules import Rules
from mirante.zones.scale import Edges

MINUTES = 10
PAGE = 100  # entries read at once, each of about a second
MOST_S = 8.0  # that an answer takes


def recount(client: redis.Redis, camera: str, rules: Rules, area: Edges) -> tuple[Recount, bool]:
    """Count a camera's kept tracks by other rules, oldest first; blocks, for about ``MOST_S`` at
    most. Return what was counted, and whether that is all.

    Raises:
        HTTPException: 502, what is kept cannot be read.
        redis.RedisError: Redis does not answer.
    """
    counting = Recount(rules, camera, area)
    return counting, take_kept(client, camera, counting.take)


def take_kept(client: redis.Redis, camera: str, take: Callable[[Iterable[bytes]], None]) -> bool:
    """Hand a camera's kept trails on, oldest first; blocks, for about ``MOST_S`` at most. Return
    whether these were all.

    Raises:
        HTTPException: 502, what is kept cannot be read.
        redis.RedisError: Redis does not answer.
    """
    end_s = time.monotonic() + MOST_S
    behind = EntryId(int((time.time() - MINUTES * 60) * 1000), 0)
    while time.monotonic() < end_s:
        reply: Any = client.xrange(key(camera, "tracks"), f"({behind}", "+", PAGE)
        try:
            take(fields[b"msgpack"] for _, fields in reply if fields)
        except (WireError, KeyError) as error:
            raise HTTPException(502, f'tracks of camera "{camera}": {error}') from None
        if len(reply) < PAGE:
            return True
        behind = EntryId.parse(reply[-1][0])
    return False

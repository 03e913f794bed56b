"""The tracks of a camera's last minutes, read from Redis and counted again."""

from __future__ import annotations

import time
from typing import Any

import redis
from fastapi import HTTPException

from mirante.keys import EntryId, key
from mirante.wire.errors import WireError
from mirante.zones.recount import Recount
from mirante.zones.rules import Rules
from mirante.zones.scale import Edges

MINUTES = 10
EVERY_MS = 95  # of the frames; ten a second are enough to count by time
PAGE = 500  # entries read at once
MOST_S = 8.0  # that an answer takes


def recount(client: redis.Redis, camera: str, rules: Rules, area: Edges) -> tuple[Recount, bool]:
    """Count a camera's kept results by other rules, oldest first; blocks, for about ``MOST_S`` at
    most. Return what was counted, and whether that is all.

    Raises:
        HTTPException: 502, what is kept cannot be read.
        redis.RedisError: Redis does not answer.
    """
    counting = Recount(rules, area)
    end_s = time.monotonic() + MOST_S
    behind = EntryId(int((time.time() - MINUTES * 60) * 1000), 0)
    taken_ms = 0
    while time.monotonic() < end_s:
        reply: Any = client.xrange(key(camera, "detections"), f"({behind}", "+", PAGE)
        entries = [(EntryId.parse(entry), fields) for entry, fields in reply]
        messages = []
        for entry, fields in entries:
            if entry.ms - taken_ms >= EVERY_MS and fields and b"json" in fields:
                taken_ms = entry.ms
                messages.append(fields[b"json"])
        try:
            counting.take(messages)
        except WireError as error:
            raise HTTPException(502, f'results of camera "{camera}": {error}') from None
        if len(entries) < PAGE:
            return counting, True
        behind = entries[-1][0]
    return counting, False

"""The images of events, as workers keep them in Redis."""

from __future__ import annotations

import redis

from mirante.client.steps import entries_of
from mirante.keys import key
from mirante.redis_url import reply_to


def event_image(client: redis.Redis, camera: str, entry: str) -> bytes:
    """Return the JPEG of an event; empty where none is kept.

    Args:
        client: a Redis client with raw replies.
        camera: its name.
        entry: ID of the event in the camera's streams.

    Raises:
        redis.RedisError: Redis does not answer, or refuses.
    """
    reply = reply_to(client, ("XRANGE", key(camera, "images"), entry, entry))
    return next((bytes(f[b"jpeg"]) for _, f in entries_of(reply) if f and b"jpeg" in f), b"")

"""The dashboard's clients of Redis, none of which waits longer than two seconds."""

from __future__ import annotations

import redis
import redis.asyncio

from mirante.redis_url import RedisUrl
from pipeline.control.registry import connect

TIMEOUT_S = 2.0


def plain_client(address: str) -> redis.Redis:
    """Return a client for threads; replies as redis-py shapes them."""
    return connect(address, TIMEOUT_S)


def async_client(url: RedisUrl) -> redis.asyncio.Redis:
    """Return a client for the event loop; replies are bytes, integers and lists."""
    return url.async_client(TIMEOUT_S)

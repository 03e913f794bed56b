"""Entries of a stream as Redis keeps them."""

from __future__ import annotations

from typing import cast

import redis

Entries = list[tuple[bytes, dict[bytes, bytes]]]


def entries(client: redis.Redis, stream: str) -> Entries:
    """Return all entries, oldest first; the types of redis-py allow for text and for none."""
    return cast(Entries, client.xrange(stream))

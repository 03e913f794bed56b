"""Talking to Redis without input and output: generators ask for commands and get their replies.

``subscribe`` and its asyncio twin differ only in how they carry out a ``Step``.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, NamedTuple

import redis

from mirante.keys import EntryId


class Interrupted(redis.ConnectionError):
    """A reply was given up half-way: what it delivered has to be asked for again."""


class Ask(NamedTuple):
    """Send these commands in one round trip; the replies are wanted, errors among them."""

    commands: tuple[tuple[Any, ...], ...]


class Scan(NamedTuple):
    """Find the names that match, with these options of SCAN; a list of them is wanted of each shard
    of a cluster, or its error, and one of a server by itself.
    """

    options: tuple[Any, ...]


class Pause(NamedTuple):
    """Do nothing for a number of seconds."""

    seconds: float


Step = Ask | Scan | Pause | None  # None: items are ready to be handed out
Steps = Generator[Step, Any, Any]
Fields = dict[bytes, bytes]
Entries = list[tuple[EntryId, Fields | None]]  # None: the entry was trimmed


def ask(*commands: tuple[Any, ...]) -> Steps:
    """The replies of commands.

    Raises:
        redis.RedisError: one of them was refused.
    """
    replies = (yield Ask(commands)) if commands else []
    for reply in replies:
        if isinstance(reply, redis.RedisError):
            raise reply
    return replies


def last_of(stream: str) -> Steps:
    """The last ID of a stream and its last entry, if it has one; 0-0 when there is no stream."""
    [reply] = yield Ask((("XINFO", "STREAM", stream),))
    if isinstance(reply, redis.ResponseError) and "no such key" in str(reply):
        return EntryId(0, 0), []
    if isinstance(reply, redis.RedisError):
        raise reply
    facts = dict(zip(reply[::2], reply[1::2], strict=True))
    last = facts[b"last-entry"]
    return EntryId.parse(facts[b"last-generated-id"]), entries_of([last] if last else [])


def streams_of(reply: Any) -> list[tuple[str, Entries]]:
    """Return the entries in a reply of XREAD or XREADGROUP, by stream."""
    return [(stream.decode(), entries_of(found)) for stream, found in reply or ()]


def entries_of(reply: Any) -> Entries:
    """Return the entries in a reply of XRANGE and its like."""
    return [
        (EntryId.parse(name), dict(zip(flat[::2], flat[1::2], strict=True)) if flat else None)
        for name, flat in reply
    ]

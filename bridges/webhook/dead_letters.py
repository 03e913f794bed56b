"""Events that were given up: shown, and sent once more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec
import redis

from mirante.client.items import ReceivedEvent
from mirante.client.steps import entries_of
from mirante.keys import bridge_key
from mirante.redis_url import reply_to
from mirante.wire.errors import UNREADABLE

_PAGE = 100
_decoder = msgspec.json.Decoder(ReceivedEvent)  # made at import: threads must not


class DeadLetter(NamedTuple):
    """An event that was given up.

    Attributes:
        entry: ID in the stream of dead letters; its milliseconds are when it was given up.
        event: itself; None where it cannot be read.
        words: why.
    """

    entry: str
    event: ReceivedEvent | None
    words: str


def dead_letters(client: redis.Redis, bridge: str) -> Iterator[DeadLetter]:
    """Yield what a bridge gave up, oldest first: those that are there at the start.

    Args:
        client: a Redis client with raw replies.
        bridge: its name.

    Raises:
        redis.RedisError: Redis does not answer, or refuses.
    """
    stream, start = bridge_key(bridge, "dead"), "-"
    newest = reply_to(client, ("XREVRANGE", stream, "+", "-", "COUNT", 1))
    if not newest:
        return
    end = newest[0][0].decode()
    while page := reply_to(client, ("XRANGE", stream, start, end, "COUNT", _PAGE)):
        for identity, fields in entries_of(page):
            yield _read(str(identity), fields or {})
        start = f"({page[-1][0].decode()}"


def remove(client: redis.Redis, bridge: str, letter: DeadLetter) -> None:
    """Remove a letter that was delivered after all.

    Raises:
        redis.RedisError: as ``dead_letters``.
    """
    reply_to(client, ("XDEL", bridge_key(bridge, "dead"), letter.entry))


def _read(entry: str, fields: dict[bytes, bytes]) -> DeadLetter:
    words = fields.get(b"words", b"").decode("utf-8", "replace")
    try:
        return DeadLetter(entry, _decoder.decode(fields[b"json"]), words)
    except (*UNREADABLE, KeyError):
        return DeadLetter(entry, None, words)

"""The end of a stream that may come from an earlier run, read from ``XINFO STREAM``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import redis

from mirante.keys import EntryId, key
from plugins.outbox.lane import Entry, Lane


class _Message(msgspec.Struct):
    epoch: int


_read = msgspec.json.Decoder(_Message)


def last_id(reply: Any) -> EntryId:
    """Return the last ID that the stream had; 0-0 of one that does not exist.

    Raises:
        redis.RedisError: the reply, where it says anything else.
    """
    if isinstance(reply, redis.RedisError):
        if "no such key" in str(reply):
            return EntryId(0, 0)
        raise reply
    return EntryId.parse(_facts(reply)[b"last-generated-id"])


def newest_epoch(reply: Any) -> int:
    """Return the epoch of the stream's last message, Unix ms; -1 of one that does not exist.

    Where the message is gone or has none, no epoch before was later than the last ID, near enough.
    """
    if isinstance(reply, redis.ResponseError):
        return -1
    _, flat = _facts(reply)[b"last-entry"] or (None, [])
    try:
        return _read.decode(_facts(flat).get(b"json", b"")).epoch
    except msgspec.MsgspecError:
        return last_id(reply).ms


def not_ours(
    lane: Lane,
    entries: list[Entry],
    exchange: Callable[[list[tuple[Any, ...]]], list[Any]],
) -> list[Entry]:
    """Return the entries that an earlier try did not already write with our content."""
    stream = key(lane.camera, lane.kinds[-1])
    replies = exchange([("XRANGE", stream, str(e.id), str(e.id)) for e in entries])
    ours = [set(entry.fields[lane.kinds[-1]].values()) for entry in entries]
    return [
        entry
        for entry, reply, mine in zip(entries, replies, ours, strict=True)
        if not (isinstance(reply, list) and reply and mine <= set(reply[0][1]))
    ]


def _facts(flat: list[Any]) -> dict[Any, Any]:
    return dict(zip(flat[::2], flat[1::2], strict=True))

"""Entries of a camera's streams as server-sent events."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import anyio
import msgspec
import redis
import redis.asyncio

from mirante.backoff import Backoff
from mirante.client.account import Account, Tally, handed
from mirante.client.items import Gap
from mirante.client.steps import Entries, Fields, entries_of, streams_of
from mirante.frame import Counts
from mirante.keys import EntryId, key
from mirante.redis_url import RedisUrl
from mirante.where import Where
from mirante.wire.errors import UNREADABLE, WireError
from mirante.wire.events import decode_event
from mirante.wire.masks import check_parts
from mirante.wire.messages import MasksMessage

_read_masks = msgspec.json.Decoder(MasksMessage)
StreamKind = Literal["detections", "masks", "events", "status"]

BATCH = 16  # entries of each kind in one read, and so the most that wait for a slow reader
BLOCK_MS = 1000  # how soon a reader that went away is noticed; below the client's time-out
HEARTBEAT_S = 15.0
STALL_S = 5.0  # between two reads, and streams may have been trimmed past where the reader is
TRIMMED = "trimmed before it was read, or never sent"
UNKNOWN = "the entry to resume behind is gone"
READERS_MOST = 256  # each has a connection to Redis
READERS = asyncio.Semaphore(READERS_MOST)
_START = b": mirante\nretry: 1000\n\n"


class _Counted(msgspec.Struct):
    epoch: int
    counts: Counts


_read_counted = msgspec.json.Decoder(_Counted)


@dataclass(slots=True)
class Following:
    """The position of a reader.

    Attributes:
        camera: whose results.
        kinds: the streams, in the order of the IDs in ``id``.
        behind: the last ID of each; None before the first read, to begin with what is new.
        account: of the ``detections`` entries.
        read_s: monotonic time of the last read.
        resuming: kinds whose entry to resume behind is gone: what is missing cannot be counted.
        where: the filter of ``events`` entries.
    """

    camera: str
    kinds: tuple[StreamKind, ...]
    behind: dict[StreamKind, EntryId] | None
    account: Account = field(default_factory=Account)
    read_s: float = float("-inf")
    resuming: set[StreamKind] = field(default_factory=set)
    where: Where | None = None

    @property
    def streams(self) -> dict[str, StreamKind]:
        """Kinds by the key of their stream."""
        return {key(self.camera, kind): kind for kind in self.kinds}

    def take(self, kind: StreamKind, entry_id: EntryId, fields: Fields) -> bytes:
        """The events that an entry makes: itself, and a gap before it; nothing of one that the
        filter holds back.
        """
        assert self.behind is not None
        text = fields.get(b"json", b"")
        try:
            if kind == "events" and self._is_held_back(text):
                self.behind[kind] = entry_id
                return b""
            gap = self._gap(kind, entry_id, text)
            data = msgspec.json.encode(with_planes(fields)) if kind == "masks" else _one_line(text)
        except (WireError, *UNREADABLE, KeyError):
            self.behind[kind] = entry_id
            return f": {kind} {entry_id} is no message of format 1\n\n".encode()
        self.behind[kind] = entry_id
        ids = ",".join(str(self.behind[each]) for each in self.kinds)
        return gap + b"id: %b\nevent: %b\ndata: %b\n\n" % (ids.encode(), kind.encode(), data)

    def _is_held_back(self, text: bytes) -> bool:
        event = decode_event(text)
        return self.where is not None and not self.where(event)

    def _gap(self, kind: StreamKind, entry_id: EntryId, text: bytes) -> bytes:
        missing: int | None = 0
        is_first, resuming = not self.account, kind in self.resuming
        self.resuming.discard(kind)
        if kind == "detections":
            said = _read_counted.decode(text)
            tally = Tally(said.epoch, handed(said.counts))
            missing = self.account.missing_before(tally)
            self.account.note(tally)
        if resuming and is_first:
            missing = None
        if missing == 0:
            return b""
        reason = TRIMMED if missing else UNKNOWN
        gap = Gap(self.camera, missing, str(entry_id), reason)
        said_gap = msgspec.json.encode({**msgspec.to_builtins(gap), "kind": kind})
        return b"event: gap\ndata: %b\n\n" % said_gap


async def events(
    client: redis.asyncio.Redis,
    following: Following,
    url: RedisUrl,
    is_gone: Callable[[], Awaitable[bool]],
) -> AsyncIterator[bytes]:
    """Events until the reader is gone. Reads only as fast as they are taken.

    Args:
        client: of this reader alone; closed at the end.
        following: where it begins; kept up to date.
        url: of Redis, for words.
        is_gone: whether the reader went away.
    """
    try:
        async with READERS:
            async for chunk in _chunks(client, following, url, is_gone):
                yield chunk
    finally:
        with anyio.CancelScope(shield=True):  # who leaves cancels all that is awaited, this too
            await client.aclose()


async def _chunks(
    client: redis.asyncio.Redis,
    following: Following,
    url: RedisUrl,
    is_gone: Callable[[], Awaitable[bool]],
) -> AsyncIterator[bytes]:
    backoff, told_s = Backoff(), time.monotonic()
    yield _START
    while not await is_gone():
        try:
            chunk = await _next(client, following)
            backoff.reset()
        except (redis.RedisError, OSError) as error:
            chunk = f": {url.explain(error)}\n\n".encode()
            await asyncio.sleep(backoff.next_s())
        if not chunk and time.monotonic() - told_s >= HEARTBEAT_S:
            chunk = b": still here\n\n"
        if chunk:
            yield chunk
            told_s = time.monotonic()


async def _next(client: redis.asyncio.Redis, following: Following) -> bytes:
    """The events of one read; empty when nothing came for ``BLOCK_MS``."""
    if following.behind is None:
        following.behind = await _ends(client, following)
    elif time.monotonic() - following.read_s > STALL_S:
        await _resume(client, following)
    streams = following.streams
    behind = [str(following.behind[kind]) for kind in streams.values()]
    reply = await client.execute_command(
        *("XREAD", "COUNT", BATCH, "BLOCK", BLOCK_MS, "STREAMS", *streams, *behind)
    )
    following.read_s = time.monotonic()
    order = list(following.kinds)
    found = [
        (entry_id, order.index(streams[stream]), fields or {})
        for stream, entries in streams_of(reply)
        for entry_id, fields in entries
    ]
    found.sort(key=lambda each: each[:2])
    return b"".join(following.take(order[rank], entry_id, f) for entry_id, rank, f in found)


async def _ends(client: redis.asyncio.Redis, following: Following) -> dict[StreamKind, EntryId]:
    """The last ID of each stream; those that do not exist yet are read from their start."""
    ends = dict.fromkeys(following.kinds, EntryId(0, 0))
    for stream, kind in following.streams.items():
        for entry_id, fields in await _last(client, stream, "+"):
            ends[kind] = entry_id
            _begin(following, kind, fields)
    return ends


async def _resume(client: redis.asyncio.Redis, following: Following) -> None:
    """Finds what is counted against: the entry resumed behind, or the one before that. Where both
    are gone, what came behind them may be gone too.
    """
    assert following.behind is not None
    for stream, kind in following.streams.items():
        position = following.behind[kind]
        if position == EntryId(0, 0):
            continue
        found = await _last(client, stream, str(position))
        for _, fields in found:
            _begin(following, kind, fields)
        if not found:
            following.resuming.add(kind)


async def _last(client: redis.asyncio.Redis, stream: str, until: str) -> Entries:
    reply: Any = await client.execute_command("XREVRANGE", stream, until, "-", "COUNT", 1)
    return entries_of(reply)


def _begin(following: Following, kind: StreamKind, fields: Fields | None) -> None:
    if kind != "detections":
        return
    try:
        said = _read_counted.decode((fields or {})[b"json"])
    except (*UNREADABLE, KeyError):
        return
    following.account.note(Tally(said.epoch, handed(said.counts)))


def _one_line(text: bytes) -> bytes:
    """JSON that one ``data:`` line can carry."""
    return bytes(msgspec.json.format(text, indent=-1))


def with_planes(fields: Fields) -> dict[str, Any]:
    """A ``masks`` message, each part with its planes as base64 in ``data``.

    Raises:
        KeyError, WireError, msgspec.MsgspecError, RecursionError: these are not the fields of one.
    """
    read = _read_masks.decode(fields[b"json"])
    check_parts(read.masks)
    message: dict[str, Any] = msgspec.to_builtins(read)
    for part in message["masks"]:
        part["data"] = base64.b64encode(fields[part["field"].encode()]).decode()
    return message

"""Events of several cameras, merged newest first, a page at a time."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import redis

from mirante.client.steps import entries_of
from mirante.keys import EntryId, key
from mirante.nesting import check_nesting
from mirante.redis_url import exchange
from mirante.where import Where
from mirante.wire.errors import UNREADABLE, WireError
from mirante.wire.events import decode_event

READ_MOST = 5_000  # entries that one page looks through
_READ_AT_ONCE = 500  # … and entries of one round trip
_LAST = 2**64 - 1  # the highest part of an entry's ID


class Cursor(NamedTuple):
    """A place among the events of all cameras: newest first, of one ID by the cameras' names.

    Attributes:
        entry: its ID.
        camera: of the entry; empty: before all cameras' entries of that ID.
    """

    entry: EntryId
    camera: str

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Read ``<ID>`` or ``<ID>@<camera>``; the first stands behind that ID in every camera.

        Raises:
            ValueError: the text is not of that form.
        """
        entry, at, camera = text.partition("@")
        return cls(EntryId.parse(entry), camera if at else "\uffff")

    def __str__(self) -> str:
        return f"{self.entry}@{self.camera}"


class _Stream:
    """The events of one camera, from newest to oldest, as far as they are read.

    Attributes:
        unread: the newest ID that may still be read; None where there are no more.
        read: entries that were read and not taken.
    """

    def __init__(self, camera: str, newest: EntryId) -> None:
        self.camera = camera
        self.unread: EntryId | None = newest
        self.read: deque[tuple[EntryId, bytes]] = deque()

    def may_have(self, oldest: EntryId) -> bool:
        """Return whether there may be entries from ``oldest`` on that were not read."""
        return self.unread is not None and self.unread >= oldest

    def take_in(self, reply: Any, asked: int) -> None:
        """Take note of a reply to XREVRANGE of so many entries."""
        if isinstance(reply, redis.RedisError):
            raise reply
        entries = entries_of(reply)
        self.read.extend((name, (fields or {}).get(b"json", b"")) for name, fields in entries)
        self.unread = _before(entries[-1][0]) if len(entries) == asked else None


class Happened:
    """Reads events that fit, of some cameras.

    Args:
        client: of Redis.
        cameras: their names.
        wanted: by field of an event, the values of which it must have one.
        where: a filter that it must pass, too; None for all.
        since_ms: only entries at or after it; None for all.
        until_ms: only entries before it; None for all.

    Attributes:
        unreadable: entries passed so far that are no events of format 1.
    """

    def __init__(
        self,
        client: redis.Redis,
        cameras: Sequence[str],
        wanted: Mapping[str, Collection[str]],
        where: Where | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
    ) -> None:
        self.unreadable = 0
        self._client = client
        self._cameras = cameras
        self._wanted = wanted
        self._where = where
        self._oldest = EntryId(since_ms or 0, 0)
        self._newest = EntryId(_LAST, _LAST) if until_ms is None else _before(EntryId(until_ms, 0))

    def newest(
        self, limit: int, behind: Cursor | None = None
    ) -> tuple[list[dict[str, Any]], Cursor | None]:
        """Return at most ``limit`` events with the ID of each as ``entry``, and where to go on;
        None where there are no more. At most ``READ_MOST`` entries are looked through.

        Args:
            limit: at least 1.
            behind: where the page before ended.

        Raises:
            redis.RedisError: Redis does not answer.
        """
        streams = [_Stream(name, self._begin(name, behind)) for name in self._cameras]
        found: list[dict[str, Any]] = []
        share = max(4, min(2 * limit, _READ_AT_ONCE) // max(1, len(streams)))
        self._read(streams, share)
        queue = [(_order(each), each.camera, each) for each in streams if each.read]
        heapq.heapify(queue)
        last: Cursor | None = None
        for _ in range(READ_MOST):
            if not queue or len(found) == limit:
                break
            _, camera, stream = queue[0]
            entry, text = stream.read.popleft()
            last = Cursor(entry, camera)
            if event := self._fitting(text):
                found.append({**event, "entry": str(entry)})
            if not stream.read:
                self._read([stream], _READ_AT_ONCE if self._wanted or self._where else share)
            if stream.read:
                heapq.heapreplace(queue, (_order(stream), camera, stream))
            else:
                heapq.heappop(queue)
        return found, last if queue else None

    def _fitting(self, text: bytes) -> dict[str, Any] | None:
        """Return the event of an entry if it is wanted."""
        event = read_event(text)
        if event is None:
            self.unreadable += 1
            return None
        if not all(_is_one(event.get(name), of) for name, of in self._wanted.items()):
            return None
        return event if self._where is None or self._passes(self._where, text) else None

    def _passes(self, where: Where, text: bytes) -> bool:
        try:
            return where(decode_event(text))
        except WireError:
            self.unreadable += 1
            return False

    def _begin(self, camera: str, behind: Cursor | None) -> EntryId:
        """Return the newest ID of a camera's that may be on the page."""
        if behind is None:
            return self._newest
        entry = behind.entry if camera > behind.camera else _before(behind.entry)
        return min(entry, self._newest)

    def _read(self, streams: Sequence[_Stream], count: int) -> None:
        """Read the next entries of some streams, as far as they have any."""
        asked = [each for each in streams if each.may_have(self._oldest)]
        oldest = str(self._oldest)
        commands = [
            ("XREVRANGE", key(each.camera, "events"), str(each.unread), oldest, "COUNT", count)
            for each in asked
        ]
        for each, reply in zip(asked, exchange(self._client, commands), strict=True):
            each.take_in(reply, count)


def read_event(text: bytes) -> dict[str, Any] | None:
    """Return an event; None for what is no mapping, or one of too many levels."""
    try:
        event: dict[str, Any] = msgspec.json.decode(text, type=dict)
        check_nesting(event)
    except (*UNREADABLE, ValueError):
        return None
    return event


def _is_one(value: object, of: Collection[str]) -> bool:
    return isinstance(value, str) and value in of


def _order(stream: _Stream) -> tuple[int, int]:
    ms, seq = stream.read[0][0]
    return -ms, -seq


def _before(entry: EntryId) -> EntryId:
    """Return the highest ID below one."""
    if entry.seq:
        return EntryId(entry.ms, entry.seq - 1)
    return EntryId(entry.ms - 1, _LAST) if entry.ms else EntryId(0, 0)

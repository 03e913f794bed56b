"""Following streams: where to begin, what to ask, when to try again."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import Any

import redis

from mirante.backoff import Backoff
from mirante.client.items import Item
from mirante.client.plan import Plan
from mirante.client.receiver import Receiver
from mirante.client.steps import (
    Ask,
    Entries,
    Fields,
    Interrupted,
    Pause,
    Scan,
    Steps,
    ask,
    entries_of,
    last_of,
    streams_of,
)
from mirante.keys import STREAMS, EntryId, camera_of, key
from mirante.outage import Outage
from mirante.redis_url import refuses
from mirante.refusal import refusal
from mirante.servers.connections import code_of
from mirante.servers.slots import NodeError

BATCH = 64  # entries per stream and read
_SCAN_S = 2.0
_TURN_S = (0.005, 0.05)  # between two looks at several shards: at first, and while nothing comes

_log = logging.getLogger("mirante.client")


class SubscribeError(RuntimeError):
    """Redis refuses this subscriber, and trying again would not help."""


class Reader:
    """Reads streams from a position on, each reader by itself.

    Attributes:
        ready: stream, ID and item, in the order to hand them out.
        positions: the last ID read of each stream.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.receiver = Receiver(plan)
        self.ready: deque[tuple[str, EntryId, Item]] = deque()
        self.positions: dict[str, EntryId] = {}
        self._scanned_s: float | None = None
        self._asked_s = time.monotonic()
        self._backoff = Backoff()
        self._turns = Backoff(*_TURN_S, jitter=0)
        self._outage = Outage(plan.url, _log, "trying again")

    def steps(self) -> Steps:
        """Yield the next steps; end when nothing came for ``timeout_s``.

        Raises:
            SubscribeError: a wrong password, or a command or key that is not permitted.
        """
        self._asked_s = time.monotonic()
        while not self._timed_out():
            try:
                yield from self.converse()
            except (redis.RedisError, OSError) as error:
                if refuses(error):
                    raise SubscribeError(self.plan.url.explain(error)) from None
                if not isinstance(error, Interrupted):
                    self._outage.failed(error)
                yield Pause(self._backoff.next_s())

    def pop(self) -> Item:
        """The next item, of ``ready``."""
        return self.ready.popleft()[2]

    def finish(self) -> None:
        """The item handed out last has been dealt with."""

    @property
    def overdue(self) -> bool:
        """True when the next step must not wait until all items are handed out."""
        return False

    def last_words(self) -> tuple[tuple[Any, ...], ...]:
        """Commands to send before leaving."""
        return ()

    def converse(self) -> Steps:
        """Reads until nothing came for ``timeout_s``; begins again on each connection.

        It has looked before it ends, however long the way to that look was.
        """
        while True:
            yield from self.look_for_cameras()
            if self.positions:
                yield from self.read()
                self._recovered()
            else:
                yield Pause(self._wait_s())
            if self.ready:
                yield from self.hand_out()
            elif self._timed_out():
                return

    def _recovered(self) -> None:
        self._outage.served()
        self._backoff.reset()

    def hand_out(self) -> Steps:
        """Lets the items go."""
        yield None
        self._asked_s = time.monotonic()

    def read(self) -> Steps:
        """Waits for entries behind the positions and takes them."""
        parts = self.parts(self.positions)
        if len(parts) > 1:
            yield from self._read_by_turns(parts)
            return
        [reply] = yield from ask(self.command(parts[0], "BLOCK", self.block_ms))
        yield from self.take(streams_of(reply))

    def command(self, streams: Sequence[str], *options: Any) -> tuple[Any, ...]:
        """Return what reads streams that one command can be about."""
        behind = [str(self.positions[stream]) for stream in streams]
        return ("XREAD", "COUNT", BATCH, *options, "STREAMS", *streams, *behind)

    def _read_by_turns(self, parts: Sequence[Sequence[str]]) -> Steps:
        """Looks at every camera in one round trip, each as far as ``BATCH``."""
        replies = yield Ask(tuple(map(self.command, parts)))
        able = self.able(parts, replies)
        yield from self.take([each for _, reply in able for each in streams_of(reply)])
        yield from self.rest()

    def parts(self, streams: Iterable[str]) -> list[list[str]]:
        """Return the streams that one command can be about: in a cluster those of one camera."""
        if not self.plan.url.is_cluster:
            return [list(streams)]
        found: dict[str, list[str]] = {}
        for stream in streams:
            found.setdefault(camera_of(stream), []).append(stream)
        return list(found.values())

    def able(
        self, parts: Sequence[Sequence[str]], replies: Sequence[Any]
    ) -> list[tuple[Sequence[str], Any]]:
        """Return the parts that got a reply, with it; those of a shard that is away are noted.

        Raises:
            redis.RedisError: another error; or all shards are away.
        """
        found = []
        for part, reply in zip(parts, replies, strict=True):
            if isinstance(reply, redis.RedisError):
                self.shard_failed(part[0], reply)
            else:
                self._outage.served(camera_of(part[0]))
                found.append((part, reply))
        if parts and not found:
            raise replies[0]
        return found

    def spared(self, stream: str, steps: Steps) -> Steps:
        """Carry out steps about one stream; False when its shard is away and others are read."""
        try:
            yield from steps
        except redis.RedisError as error:
            self.shard_failed(stream, error)
            return False
        self._outage.served(camera_of(stream))
        return True

    def shard_failed(self, stream: str, error: redis.RedisError) -> None:
        """Note it; raise what concerns more than one shard of a cluster."""
        is_apart = isinstance(error, NodeError) or refusal(error) or code_of(error) == "TRYAGAIN"
        if not self.plan.url.is_cluster or refuses(error) or not is_apart:
            raise error
        self._outage.failed(error, camera_of(stream))

    def rest(self) -> Steps:
        """Pause between two looks, the longer the less comes."""
        if self.ready:
            self._turns.reset()
        else:
            yield Pause(min(self._turns.next_s(), self._wait_s()))

    def take(self, found: list[tuple[str, Entries]], counted: bool = True) -> Steps:
        """Makes items of entries, with their masks."""
        masks = yield from self._masks(found)
        for stream, entries in found:
            for entry_id, fields in entries:
                self.positions[stream] = max(entry_id, self.positions[stream])
                beside = masks.get((camera_of(stream), entry_id))
                item = fields and self.receiver.item(stream, entry_id, fields, beside, counted)
                if item:
                    self.ready.append((stream, entry_id, item))
                else:
                    self.skip(stream, entry_id)

    def skip(self, stream: str, entry_id: EntryId) -> None:
        """An entry that makes no item: the tally of the next one shows a frame as lost."""

    def look_for_cameras(self) -> Steps:
        """Finds the streams to read: the first time, and of patterns every two seconds."""
        first, now_s = self._scanned_s is None, time.monotonic()
        if self._scanned_s is not None and (
            not self.plan.patterns or now_s < self._scanned_s + _SCAN_S
        ):
            return
        cameras = dict.fromkeys(self.plan.cameras)
        if self.plan.patterns:
            cameras |= dict.fromkeys((yield from self._scan()))
        streams = [key(camera, kind) for camera in cameras for kind in self.plan.kinds]
        for stream in streams:
            if stream not in self.positions:
                yield from self.begin(stream, first)
        self._scanned_s = now_s
        if not self.positions:
            self._recovered()

    def begin(self, stream: str, first: bool) -> Steps:
        """Finds where to begin; a stream that appears later is read from its start."""
        since = self.plan.since if first else EntryId(0, 0)
        if since is None:
            self.positions[stream], entries = yield from last_of(stream)
            self.receiver.begin(stream, entries)
            return
        if self.plan.resume and first:
            [reply] = yield from ask(("XRANGE", stream, str(since), str(since)))
            self.receiver.begin(stream, entries_of(reply))
            if not reply:
                self.receiver.resuming.add(stream)
        self.positions[stream] = since

    @property
    def block_ms(self) -> int:
        """The maximum wait of one read, in milliseconds."""
        return max(1, round(self._wait_s() * 1000))

    def _wait_s(self) -> float:
        limit_s = self.plan.timeout_s
        if limit_s is None:
            return self.plan.block_s
        return min(self.plan.block_s, max(0.0, self._asked_s + limit_s - time.monotonic()))

    def _timed_out(self) -> bool:
        limit_s = self.plan.timeout_s
        return limit_s is not None and time.monotonic() >= self._asked_s + limit_s

    def _scan(self) -> Steps:
        """Cameras of the patterns that have a stream of a wanted kind."""
        found = set[str]()
        for names in (yield Scan(("MATCH", STREAMS, "COUNT", 1000, "TYPE", "stream"))):
            if isinstance(names, redis.RedisError):
                if self._scanned_s is None:  # what is found later would be read from its start
                    raise names
                continue
            found.update(name.decode("utf-8", "replace") for name in names)
        ends = tuple(f"}}:{kind}" for kind in self.plan.kinds)
        cameras = set(_cameras(name for name in found if name.endswith(ends)))
        patterns = self.plan.patterns
        return sorted(c for c in cameras if any(fnmatchcase(c, each) for each in patterns))

    def _masks(self, found: list[tuple[str, Entries]]) -> Steps:
        """Fields of the masks' entries of the same IDs, by camera and ID."""
        spans = [
            (camera_of(stream), str(entries[0][0]), str(entries[-1][0]))
            for stream, entries in found
            if self.plan.join_masks and entries and stream.endswith(":detections")
        ]
        asked = [("XRANGE", key(camera, "masks"), first, last) for camera, first, last in spans]
        replies = yield from ask(*asked)
        masks: dict[tuple[str, EntryId], Fields | None] = {}
        for (camera, _, _), reply in zip(spans, replies, strict=True):
            masks |= {(camera, entry_id): fields for entry_id, fields in entries_of(reply)}
        return masks


def _cameras(names: Iterable[str]) -> Iterator[str]:
    """The cameras of the keys that are Mirante's."""
    for name in names:
        with suppress(ValueError):
            yield camera_of(name)

"""Durable groups: the entries of a stream shared among consumers, each acknowledged."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import Any

import redis

from mirante.client.account import Tally
from mirante.client.items import Gap, Item
from mirante.client.leftovers import tidy
from mirante.client.plan import Plan
from mirante.client.reader import Reader
from mirante.client.receiver import tally_of
from mirante.client.steps import Ask, Entries, Steps, ask, entries_of, streams_of
from mirante.keys import EntryId, camera_of, key

_BATCH = 16  # small, because what one consumer holds no other can have
_ACK_S = 1.0
_SETTLE_S = 0.5


class GroupReader(Reader):
    """One consumer of a group. An entry is acknowledged when the next one is requested.

    What is delivered is counted against the stream's own order: the first entry of a read against
    the one before it in the stream or, when that has been trimmed, against the set ``groups`` in
    which each consumer notes the highest tally that was delivered. That note is read in one
    transaction with the entries, so consumers beside this one cannot move it in between.

    Attributes:
        without: streams of which nothing new is read at present.
        patience_s: how long a read may wait, at most; no longer than the plan's.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.without: Collection[str] = ()
        self.patience_s = plan.block_s
        self._held: set[tuple[str, EntryId]] = set()  # delivered and not acknowledged
        self._current: tuple[str, EntryId] | None = None
        self._done: list[tuple[str, EntryId]] = []
        self._done_s = 0.0
        self._claimed_s = float("-inf")
        self._settled: set[str] = set()  # streams with the group, whose own entries were taken
        self._settle_s = 0.0

    def pop(self) -> Item:
        """The next item, of ``ready``."""
        stream, entry_id, item = self.ready.popleft()
        self._current = (stream, entry_id)
        return item

    def finish(self) -> None:
        """The item handed out last has been dealt with."""
        if self._current is not None:
            self.skip(*self._current)
        self._current = None

    def skip(self, stream: str, entry_id: EntryId) -> None:
        """An entry is to be acknowledged."""
        if not self._done:
            self._done_s = time.monotonic()
        self._done.append((stream, entry_id))

    @property
    def overdue(self) -> bool:
        """True when acknowledgements have waited for a second."""
        return bool(self._done) and time.monotonic() >= self._done_s + _ACK_S

    def last_words(self) -> tuple[tuple[Any, ...], ...]:
        """The acknowledgements that wait; the consumer goes where nothing more is left to it."""
        leave = [
            tidy(stream, self._group, self.plan.claim_s, self.plan.consumer)
            for stream in self._settled
        ]
        return (*self._acknowledgements(), *leave)

    def _acknowledgements(self) -> tuple[tuple[str, ...], ...]:
        group, ids = self._group, dict[str, list[str]]()
        for stream, entry_id in self._done:
            ids.setdefault(stream, []).append(str(entry_id))
        return tuple(("XACK", stream, group, *names) for stream, names in ids.items())

    @property
    def _group(self) -> str:
        assert self.plan.group is not None
        return self.plan.group

    def converse(self) -> Steps:
        """Begins with what was delivered to this consumer and never acknowledged."""
        self._settled.clear()
        yield from self.look_for_cameras()
        yield from self._settle()
        if self.ready:
            yield from self.hand_out()
        yield from super().converse()

    def _settle(self) -> Steps:
        """Begins with streams that are new to this connection; those that cannot are left out."""
        self._settle_s = time.monotonic() + _SETTLE_S
        for stream in self.positions.keys() - self._settled:
            if (yield from self.spared(stream, self._create(stream))) and (
                yield from self.spared(stream, self._take_own(stream))
            ):
                self._settled.add(stream)

    def begin(self, stream: str, first: bool) -> Steps:
        """Creates the group where a reader would begin, or continues where it stands."""
        yield from super().begin(stream, first)
        self._settle_s = 0.0
        if (yield from self._create(stream)):
            return
        self.receiver.forget(stream)
        [groups] = yield from ask(("XINFO", "GROUPS", stream))
        for flat in groups:
            facts = dict(zip(flat[::2], flat[1::2], strict=True))
            if facts[b"name"].decode() == self._group:
                self.positions[stream] = EntryId.parse(facts[b"last-delivered-id"])

    def _create(self, stream: str) -> Steps:
        """True when the group did not exist."""
        start = str(self.positions[stream])
        [reply] = yield Ask((("XGROUP", "CREATE", stream, self._group, start, "MKSTREAM"),))
        if isinstance(reply, redis.RedisError) and "BUSYGROUP" not in str(reply):
            raise reply
        return not isinstance(reply, redis.RedisError)

    def read(self) -> Steps:
        """Acknowledges, takes over from the dead, and reads what is new."""
        yield from self._acknowledge()
        if self.positions.keys() - self._settled and time.monotonic() >= self._settle_s:
            yield from self._settle()
        if not self.ready:
            yield from self._claim()
        if self.ready:
            return
        streams = [each for each in self.positions if each in self._settled]
        streams = [each for each in streams if each not in self.without]
        parts = self.parts(streams) if streams else []
        found, notes = yield from self._read_new(parts)
        is_waiting = len(parts) == 1
        if not found and is_waiting:
            [reply] = yield from ask(self.command(parts[0], "BLOCK", self.block_ms))
            found = streams_of(reply)
        yield from self._baselines(found, notes)
        yield from self.take(found)
        self._hold(found)
        if not is_waiting:
            yield from self.rest()

    @property
    def block_ms(self) -> int:
        """The maximum wait of one read, in milliseconds."""
        return max(1, min(super().block_ms, round(self.patience_s * 1000)))

    def _read_new(self, parts: Sequence[Sequence[str]]) -> Steps:
        """The entries that are there, and how far each stream was delivered before."""
        units = [
            (
                ("MULTI",),
                *(("ZRANGE", self._note(stream), "0", "-1", "WITHSCORES") for stream in part),
                self.command(part),
                ("EXEC",),
            )
            for part in parts
        ]
        replies = iter((yield Ask(tuple(command for unit in units for command in unit))))
        ends = [_executed([next(replies) for _ in unit]) for unit in units]
        for part, end in zip(parts, ends, strict=True):
            if isinstance(end, redis.RedisError):  # it may have delivered what never came
                self._settled.difference_update(part)
        found, notes = list[tuple[str, Entries]](), dict[str, list[bytes]]()
        for part, (*scores, reply) in self.able(parts, ends):
            notes |= zip(part, scores, strict=True)
            found += streams_of(reply)
        return found, notes

    def command(self, streams: Sequence[str], *options: Any) -> tuple[Any, ...]:
        """Return what reads streams that one command can be about."""
        head = ("XREADGROUP", "GROUP", self._group, self.plan.consumer, "COUNT", _BATCH)
        return (*head, *options, "STREAMS", *streams, *([">"] * len(streams)))

    def _hold(self, found: list[tuple[str, Entries]]) -> None:
        self._held |= {(stream, entry_id) for stream, entries in found for entry_id, _ in entries}

    def _acknowledge(self) -> Steps:
        # More may be done before these commands are sent.
        commands, done = self._acknowledgements(), self._done.copy()
        replies = (yield Ask(commands)) if commands else []
        for (_, stream, *_), reply in zip(commands, replies, strict=True):
            if isinstance(reply, redis.RedisError):
                self.shard_failed(stream, reply)
                continue
            acknowledged = {each for each in done if each[0] == stream}
            self._held -= acknowledged
            self._done = [each for each in self._done if each not in acknowledged]
        self._done_s = time.monotonic()

    def _take_own(self, stream: str) -> Steps:
        behind = "0"
        while True:
            head = ("XREADGROUP", "GROUP", self._group, self.plan.consumer, "COUNT", _BATCH)
            [reply] = yield from ask((*head, "STREAMS", stream, behind))
            entries = streams_of(reply)[0][1]
            if not entries:
                break
            behind = str(entries[-1][0])
            yield from self._take_again(
                stream, [e for e in entries if (stream, e[0]) not in self._held]
            )

    def _claim(self) -> Steps:
        """Take over entries that another consumer has held for too long."""
        now_s = time.monotonic()
        if now_s < self._claimed_s + self.plan.claim_s / 2:
            return
        idle_ms = round(self.plan.claim_s * 1000)
        for stream in list(self._settled):
            yield from self.spared(stream, self._claim_of(stream, idle_ms))
        self._claimed_s = now_s

    def _claim_of(self, stream: str, idle_ms: int) -> Steps:
        # One without the right to it leaves it to others: nothing depends on it.
        yield Ask((tidy(stream, self._group, self.plan.claim_s),))
        cursor = b"0-0"
        while True:
            head = ("XAUTOCLAIM", stream, self._group, self.plan.consumer, idle_ms)
            [reply] = yield from ask((*head, cursor, "COUNT", _BATCH))
            cursor, found, *gone = reply
            self._expired(stream, sum(map(len, gone)))
            if None in found:
                # Redis 6.2 hands over what was trimmed as well, without its ID.
                yield from self._take_own(stream)
            else:
                own = [e for e in entries_of(found) if (stream, e[0]) not in self._held]
                yield from self._take_again(stream, own)
            if cursor == b"0-0" or self.ready:
                break

    def _take_again(self, stream: str, entries: Entries) -> Steps:
        """Entries that were delivered before; those trimmed since are lost."""
        self._expired(stream, sum(fields is None for _, fields in entries))
        yield from self.take([(stream, entries)], counted=False)
        self._hold([(stream, entries)])

    def _expired(self, stream: str, entries: int) -> None:
        if entries and stream.endswith(":detections"):
            reason = "delivered, never acknowledged, and trimmed"
            self.receiver.report(Gap(camera_of(stream), entries, "", reason))

    def _note(self, stream: str) -> str:
        return key(camera_of(stream), "groups")

    def _baselines(self, found: list[tuple[str, Entries]], notes: dict[str, list[bytes]]) -> Steps:
        """Sets what the first entry of each stream is counted against, and notes the last ones."""
        counted = [(s, e) for s, e in found if e and s.endswith(":detections")]
        before = [("XREVRANGE", s, f"({e[0][0]}", "-", "COUNT", 1) for s, e in counted]
        marks = [
            ("ZADD", self._note(s), "GT", tally.handed, f"{self._group}/{tally.epoch}")
            for s, entries in counted
            for tally in _last_tallies(s, entries)
        ]
        replies = yield from ask(*before, *marks)
        for (stream, _), reply in zip(counted, replies, strict=False):
            self.receiver.begin_at(stream, self._noted(notes[stream]))
            before_it = [tally_of(stream, fields) for _, fields in entries_of(reply or [])]
            # Only further: a new primary may lack what was handed out here.
            self.receiver.begin_at(stream, [tally for tally in before_it if tally])

    def _noted(self, scores: list[bytes]) -> list[Tally]:
        """The highest tally of each epoch that was delivered to this group, the latest last."""
        marks = {
            name.decode(): int(float(score))
            for name, score in zip(scores[::2], scores[1::2], strict=True)
        }
        return sorted(
            Tally(int(name.rpartition("/")[2]), handed)
            for name, handed in marks.items()
            if name.rpartition("/")[0] == self._group
        )


def _last_tallies(stream: str, entries: Entries) -> list[Tally]:
    """Return the last tally of each epoch among these entries, which mostly are of one."""
    ends = [
        tally for at in sorted({0, len(entries) - 1}) if (tally := tally_of(stream, entries[at][1]))
    ]
    if len({tally.epoch for tally in ends}) > 1:
        ends = [tally for _, fields in entries if (tally := tally_of(stream, fields))]
    return list({tally.epoch: tally for tally in ends}.values())


def _executed(replies: list[Any]) -> Any:
    """Return what EXEC replied, or the first error of the transaction."""
    last = replies[-1]
    within = last if isinstance(last, list) else []
    return next((r for r in (*replies, *within) if isinstance(r, redis.RedisError)), last)

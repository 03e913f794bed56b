"""The memory that each camera's streams may take in Redis, and what is cut so that they do not."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import redis

from mirante.keys import EntryId, Kind, key
from plugins.outbox.lane import Entry, Lane
from plugins.outbox.retention import Retention
from plugins.outbox.weight import MEASURE, Sized, Weight, size_of, sizes_of

Exchange = Callable[[list[tuple[Any, ...]]], list[Any]]
QUIET_S = 600.0  # without a cut, after which the next one is said again
_NONE = EntryId(0, 0)


@dataclass(frozen=True, slots=True)
class Cut:
    """What the limit of one stream has cost so far.

    Attributes:
        entries: removed before their time.
        kept_s: the age at which the last of them went, seconds.
        max_mib: the limit.
    """

    entries: int
    kept_s: float
    max_mib: int


@dataclass(slots=True, eq=False)
class _Stream:
    """One limited stream: what it takes, and what its next write adds and removes."""

    weight: Weight
    coming: list[Sized]
    horizon: EntryId = _NONE
    due: EntryId = _NONE
    kept_s: float = 0.0
    cut_s: float = float("-inf")


@dataclass(slots=True, eq=False)
class _Asked:
    """A stream that is being measured, from its newest entry backwards."""

    lane: Lane
    kind: Kind
    found: list[Sized]

    @property
    def command(self) -> tuple[Any, ...]:
        """The next command."""
        before = f"({self.found[0][0]}" if self.found else "+"
        return ("EVAL", MEASURE, 1, key(self.lane.camera, self.kind), before)


class Limits:
    """The limits of one publisher; all but ``limit`` and ``cuts`` is its sender's.

    Args:
        retention: what holds for a camera that has no limits of its own.
        log: where it is said, once, that a camera's results do not fit.
    """

    def __init__(self, retention: Retention, log: logging.Logger) -> None:
        self._retention = retention
        self._log = log
        self._own: dict[str, Mapping[str, int]] = {}
        self._streams: dict[tuple[str, Kind], _Stream] = {}

    def limit(self, camera: str, max_mib: Mapping[str, int | None]) -> None:
        """Give a camera limits of its own, MiB by kind; None for that of all."""
        self._own[camera] = {kind: mib for kind, mib in max_mib.items() if mib is not None}

    def cuts(self) -> dict[str, dict[str, Cut]]:
        """Return what was cut, by camera and kind; without streams that lost nothing."""
        found: dict[str, dict[str, Cut]] = {}
        for (camera, kind), stream in list(self._streams.items()):
            if stream.weight.cut:
                limit = self._limit(camera, kind) or 0
                cut = Cut(stream.weight.cut, round(stream.kept_s, 1), limit >> 20)
                found.setdefault(camera, {})[kind] = cut
        return found

    def trims(self, lane: Lane, writes: Sequence[tuple[Entry, Kind]], now_s: float) -> list[str]:
        """Return how each stream of a lane is trimmed as these entries come: two texts a stream."""
        parts: list[str] = []
        for kind in lane.kinds:
            limit = self._limit(lane.camera, kind)
            strategy, threshold = self._retention.trim(kind, lane, now_s)
            if limit is not None:
                stream = self._stream(lane.camera, kind)
                stream.coming = [(e.id, size_of(e.fields[k])) for e, k in writes if k == kind]
                stream.due = EntryId.parse(threshold)
                own = stream.weight.horizon(stream.coming, limit)
                stream.horizon = max(own, stream.due) if own else stream.due
                threshold = str(stream.horizon)
            parts += (strategy, threshold)
        return parts

    def outdated(self, lanes: Iterable[Lane]) -> list[tuple[Any, ...]]:
        """Return commands that remove what is too old, where no write does.

        A Redis whose memory is full refuses XADD, which trims, and takes XTRIM: else it would stay
        full for ever.
        """
        now_s = time.monotonic()
        return [
            ("XTRIM", key(lane.camera, kind), strategy, "~", threshold)
            for lane in lanes
            for kind in lane.kinds
            for strategy, threshold in [self._retention.trim(kind, lane, now_s)]
        ]

    def landed(self, lane: Lane, lost: Sequence[Entry]) -> None:
        """Take note that Redis took what was trimmed for, without some of the entries."""
        gone = {entry.id for entry in lost}
        for kind in lane.kinds:
            stream = self._streams.get((lane.camera, kind))
            if stream is None or not stream.coming:
                continue
            for entry_id, size in stream.coming:
                if entry_id not in gone and entry_id > (stream.weight.last or _NONE):
                    stream.weight.add(entry_id, size)
            if stream.weight.trim(stream.horizon, stream.due):
                stream.kept_s = max(0.0, (stream.coming[-1][0].ms - stream.horizon.ms) / 1000)
                self._say(lane.camera, kind, stream)
            stream.coming = []

    def measure(self, lanes: Iterable[Lane], exchange: Exchange) -> list[tuple[Lane, Any]]:
        """Find out what streams hold that is not known here, from an earlier run or another worker.

        Args:
            lanes: those of which it is known anew how far their streams are.
            exchange: sends commands and returns their replies.

        Returns:
            Lanes whose streams Redis does not show, with the error.
        """
        refused: list[tuple[Lane, Any]] = []
        asked = [_Asked(lane, kind, []) for lane in lanes for kind in self._unknown(lane)]
        while asked:
            replies = exchange([each.command for each in asked])
            left = []
            for each, reply in zip(asked, replies, strict=True):
                if isinstance(reply, redis.RedisError):
                    refused.append((each.lane, reply))
                    continue
                each.found[:0] = sizes_of(reply)
                limit = self._limit(each.lane.camera, each.kind) or 0
                if reply and sum(size for _, size in each.found) <= limit:
                    left.append(each)  # what is older than the limit goes with the next write
                else:
                    weight = self._stream(each.lane.camera, each.kind).weight
                    weight.begin(each.found, each.lane.floors[each.kind], limit)
            asked = left
        return refused

    def _unknown(self, lane: Lane) -> list[Kind]:
        """Return the kinds of a lane whose streams are to be measured.

        What came of a flight that broke off is known: the lane has it.
        """
        unknown: list[Kind] = []
        for kind in lane.kinds:
            limit, floor = self._limit(lane.camera, kind), lane.floors[kind]
            if limit is None:
                continue
            weight = self._stream(lane.camera, kind).weight
            if floor == _NONE:
                weight.begin([], floor, limit)
            elif weight.last is not None and weight.last < floor:
                for entry in lane.kept:
                    if kind in entry.fields and weight.last < entry.id <= floor:
                        weight.add(entry.id, size_of(entry.fields[kind]))
            if weight.last != floor:
                unknown.append(kind)
        return unknown

    def _limit(self, camera: str, kind: Kind) -> int | None:
        """Return the bytes that a stream may take; None of one without a limit."""
        mib = self._own.get(camera, {}).get(kind, self._retention.max_mib.get(kind))
        return None if mib is None else mib << 20

    def _stream(self, camera: str, kind: Kind) -> _Stream:
        name = (camera, kind)
        if name not in self._streams:
            self._streams[name] = _Stream(Weight(), [])
        return self._streams[name]

    def _say(self, camera: str, kind: Kind, stream: _Stream) -> None:
        now_s = time.monotonic()
        if now_s - stream.cut_s > QUIET_S:
            self._log.warning(
                "%s: its %s of %g s take more than %d MiB (max_mib): the oldest leave Redis after "
                "%.1f s",
                camera,
                kind,
                self._retention.keep_s(kind),
                (self._limit(camera, kind) or 0) >> 20,
                stream.kept_s,
            )
        stream.cut_s = now_s

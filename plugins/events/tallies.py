"""Counts over time: per class, zone or line, and minute and hour, written as they change."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import cast

import msgspec

from mirante.counts import (
    BLOCK_S,
    DAY_S,
    HOUR_S,
    KEPT_S,
    MINUTE_S,
    By,
    Digits,
    Metric,
    Series,
    digits_of,
    keys_between,
)
from mirante.events import Event
from mirante.frame import FrameResult

MOST_BYTES = 1_000_000  # of one camera's counts in Redis, by what is known here: within 1 MiB
SERIES = 128  # of one camera; what is more is not counted
BLOCKS = DAY_S // BLOCK_S
_BACK = 10  # minutes by which a clock may go back without counting a minute again
_COMPACT = 512, 64  # fields, and bytes of one, up to which Redis stores a hash compactly
_HASH, _FIELD, _WIDE_FIELD = 200, 8, 120  # bytes of a hash and of a field beside its text

log = logging.getLogger(__name__)


class Tally(msgspec.Struct, array_like=True):
    """One series now.

    Attributes:
        minute, hour: since 1970, of the last change.
        of_minute, of_hour: what was counted in them.
        minute_ends, hour_ends: length of the text of each plane, in this hour and this day.
    """

    minute: int = 0
    of_minute: float = 0.0
    hour: int = 0
    of_hour: float = 0.0
    minute_ends: list[int] = []
    hour_ends: list[int] = []


class Hash(msgspec.Struct, array_like=True):
    """A hash in Redis.

    Attributes:
        is_of_minutes: else of hours.
        fields, size: number of its fields, and bytes of their names and values.
        is_wide: a name is too long for Redis to store the hash compactly.
    """

    is_of_minutes: bool
    fields: int = 0
    size: int = 0
    is_wide: bool = False

    @property
    def cost(self) -> int:
        """The bytes that it takes there, roughly."""
        is_wide = self.is_wide or self.fields > _COMPACT[0]
        each = _WIDE_FIELD if is_wide else _FIELD
        return (_HASH if self.fields else 0) + self.size + each * self.fields

    def grow(self, digits: Digits, plane: int, ends: list[int]) -> None:
        """Note by how much it grows.

        Args:
            digits: that are written.
            plane: of them.
            ends: length of the value of each plane; brought up to date.
        """
        if plane == len(ends):
            name = len(digits.field.encode())
            self.fields, self.size = self.fields + 1, self.size + name
            self.is_wide |= name > _COMPACT[1]
            ends.append(0)
        end = max(ends[plane], digits.at + 1)
        self.size, ends[plane] = self.size + end - ends[plane], end


class _Saved(msgspec.Struct, array_like=True):
    """The memory.

    Attributes:
        tallies: by series.
        today: the hashes of the newest day, by key.
        day: that day, since 1970.
        minutes, hours: bytes of the hashes of earlier days, by day.
    """

    tallies: dict[str, Tally] = {}
    today: dict[str, Hash] = {}
    day: int = 0
    minutes: dict[int, int] = {}
    hours: dict[int, int] = {}


_read_saved = msgspec.msgpack.Decoder(_Saved)


class Tallies:
    """The counts of one camera: a part of its memory. Values are absolute, so what is written twice
    counts once.

    Args:
        saved: what a predecessor left; None for the first.

    Attributes:
        totals: objects counted since this was made, by series; not saved.
    """

    def __init__(self, saved: bytes | None = None) -> None:
        self.totals: Counter[Series] = Counter()
        self._now = _Saved()
        try:
            if saved is not None:
                self._now = _read_saved.decode(saved)
        except msgspec.MsgspecError as error:
            log.warning("counts of an earlier run cannot be read (%s); they begin anew", error)
        self._pending: dict[tuple[str, str, int], Digits] = {}
        self._is_full = False

    def saved(self) -> bytes:
        """Return what a successor continues from."""
        return msgspec.msgpack.encode(self._now)

    def take(self) -> list[Digits]:
        """Return what is to be written since the last call."""
        pending, self._pending = list(self._pending.values()), {}
        return pending

    def observe(self, result: FrameResult, labels: Iterable[str] = ()) -> None:
        """Count what a frame shows that is no event.

        Args:
            result: of the frame, with the number of objects in each zone.
            labels: classes of the objects that are new in it.
        """
        ts, camera = result.captured_ns // 1_000_000_000, result.camera
        for label in labels:
            self.add(camera, ts, Series("new", "", label))
        if result.zones is not None:
            for name, zone in result.zones.zones.items():
                if zone.inside:
                    self.reach(camera, ts, Series("peak", name, ""), zone.inside)

    def count(self, events: Iterable[Event]) -> None:
        """Count events of zones and lines, each once."""
        for event in events:
            ts, camera = int(event.ts), event.camera
            if event.kind == "zone-entered":
                self.add(camera, ts, Series("entered", event.zone, event.label))
            elif event.kind == "zone-left":
                self.add(camera, ts, Series("left", event.zone, event.label))
                self.add(camera, ts, Series("dwell", event.zone, event.label), event.dwell_s or 0.0)
            elif event.kind == "line-crossed":
                self.add(camera, ts, Series(_way(event), event.line, event.label))

    def add(self, camera: str, ts: int, series: Series, amount: float = 1) -> None:
        """Count more of a series at a moment, Unix seconds."""
        if (tally := self._at(series, ts)) is not None:
            tally.of_minute += amount
            tally.of_hour += amount
            if series.metric != "dwell":
                self.totals[series] += round(amount)
            self._write(camera, series, tally)

    def reach(self, camera: str, ts: int, series: Series, value: int) -> None:
        """Note a value of a series of which the highest counts."""
        tally = self._at(series, ts)
        if tally is not None and value > tally.of_minute:
            tally.of_minute = value
            tally.of_hour = max(tally.of_hour, value)
            self._write(camera, series, tally)

    def _at(self, series: Series, ts: int) -> Tally | None:
        """Return the tally of a series, of the minute that a moment is in; None where there are
        too many series.
        """
        tally = self._now.tallies.get(series.field())
        if tally is None:
            if len(self._now.tallies) >= SERIES:
                if not self._is_full:
                    log.warning("more than %d series to count; %s is not", SERIES, series.field())
                self._is_full = True
                return None
            tally = self._now.tallies[series.field()] = Tally()
        minute, hour = ts // MINUTE_S, ts // HOUR_S
        if minute == tally.minute or 0 < tally.minute - minute <= _BACK:
            return tally
        tally.minute, tally.of_minute = minute, 0.0
        if hour != tally.hour:
            tally.minute_ends = []
            if _day(hour) != _day(tally.hour):
                tally.hour_ends = []
            tally.hour, tally.of_hour = hour, 0.0
        return tally

    def _write(self, camera: str, series: Series, tally: Tally) -> None:
        if _day(tally.hour) != self._now.day:
            self._turn(_day(tally.hour))
        values: tuple[tuple[By, int, float, list[int]], ...] = (
            ("minute", tally.minute * MINUTE_S, tally.of_minute, tally.minute_ends),
            ("hour", tally.hour * HOUR_S, tally.of_hour, tally.hour_ends),
        )
        for by, ts, value, ends in values:
            for plane, digits in enumerate(digits_of(camera, series, ts, round(value), by)):
                self._pending[digits.key, digits.field, digits.at] = digits
                if digits.key not in self._now.today:
                    self._now.today[digits.key] = Hash(by == "minute")
                    self._make_room(camera)
                self._now.today[digits.key].grow(digits, plane, ends)

    def _turn(self, day: int) -> None:
        """Begin another day: sum up the one before, and forget what Redis has forgotten."""
        now = self._now
        for held in now.today.values():
            of = now.minutes if held.is_of_minutes else now.hours
            of[now.day] = of.get(now.day, 0) + held.cost
        now.day, now.today = day, {}
        first = day - KEPT_S // DAY_S
        now.minutes = {at: size for at, size in now.minutes.items() if at > first}
        now.hours = {at: size for at, size in now.hours.items() if at > first}
        now.tallies = {name: t for name, t in now.tallies.items() if _day(t.hour) >= day - 1}
        self._is_full = False

    def _make_room(self, camera: str) -> None:
        """Delete the oldest minutes, and then hours, until hashes like the largest ones fit."""
        now = self._now
        costs = [held.cost for held in now.today.values()]
        left = MOST_BYTES - sum(costs) - sum(now.minutes.values()) - sum(now.hours.values())
        left -= max(*costs, *(size // BLOCKS for size in now.minutes.values()), 0)
        left -= max(now.hours.values(), default=0)
        for keys, cost in self._oldest(camera):
            if left >= 0:
                return
            left += cost()
            for key in keys:
                self._pending[key, "", 0] = Digits(key, "", 0, "", 0)

    def _oldest(self, camera: str) -> Iterator[tuple[list[str], Callable[[], int]]]:
        """Yield hashes that may be deleted, and what forgets them and returns their bytes: days of
        minutes from the oldest on, then minutes of this day, then hours.
        """
        now = self._now
        for by, of in (("minute", now.minutes), ("hour", now.hours)):
            for day in sorted(of):
                begin = day * DAY_S
                keys = keys_between(camera, begin, begin + DAY_S, cast(By, by))
                yield [*keys], partial(of.pop, day)
            if by == "minute":
                blocks = sorted(key for key, held in now.today.items() if held.is_of_minutes)
                for key in blocks[:-1]:
                    yield [key], partial(self._forget, key)

    def _forget(self, key: str) -> int:
        return self._now.today.pop(key).cost


def _way(event: Event) -> Metric:
    return "in" if event.direction == "in" else "out"


def _day(hour: int) -> int:
    return hour * HOUR_S // DAY_S

"""Counts over time: absolute, across restarts, and within their bound."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from mirante.counts import DAY_S, HOUR_S, Digits, Series, keys_between, read
from mirante.events import Event
from mirante.frame import FrameResult
from mirante.zones import ZoneCount, ZoneCounts
from plugins.events.tallies import MOST_BYTES, Tallies
from tests.support.walks import START_NS, frame

START_S = START_NS // 1_000_000_000


def applied(writes: Iterable[Digits], held: dict[str, dict[bytes, bytes]]) -> None:
    """Do to hashes what Redis does."""
    for write in writes:
        if not write.keep_s:
            held.pop(write.key, None)
            continue
        fields, field = held.setdefault(write.key, {}), write.field.encode()
        value = fields.get(field, b"").decode().ljust(write.at, "0")
        fields[field] = (value[: write.at] + write.text + value[write.at + 1 :]).encode()


def found(held: dict[str, dict[bytes, bytes]], by: Any) -> dict[Series, dict[int, int]]:
    keys = keys_between("gate", START_S - DAY_S, START_S + DAY_S, by)
    return read([(begin, held.get(key, {})) for key, begin in keys.items()], by)


def counted(t_s: float, inside: int, *events: tuple[str, dict[str, Any]]) -> FrameResult:
    made = tuple(
        Event(id=str(i), camera="gate", kind=kind, ts=START_S + t_s, label="person", **facts)
        for i, (kind, facts) in enumerate(events)
    )
    zone = ZoneCount(inside=inside, entered=0, left=0)
    return frame(t_s, {}, events=made, zones=ZoneCounts({"door": zone}, {}))


def count(tallies: Tallies, result: FrameResult, *new: str) -> None:
    tallies.observe(result, new)
    tallies.count(result.events)


def test_counts_are_absolute_and_survive_a_restart() -> None:
    tallies, held = Tallies(), dict[str, dict[bytes, bytes]]()
    minute = START_S // 60 * 60
    late = minute + 60 - START_S
    count(tallies, counted(0, 1, ("zone-entered", {"zone": "door"})))
    count(tallies, counted(1, 3, ("zone-entered", {"zone": "door"})))
    count(tallies, counted(2, 2, ("line-crossed", {"line": "gate", "direction": "out"})), "person")
    writes = tallies.take()
    applied(writes, held)
    applied(writes, held)  # sent again
    after = Tallies(tallies.saved())
    count(after, counted(3, 2, ("zone-left", {"zone": "door", "dwell_s": 70.4})))
    count(after, counted(4, 2, ("zone-entered", {"zone": "door"})))
    count(after, counted(late, 2, ("zone-entered", {"zone": "door"})))
    count(after, counted(late - 1, 2, ("zone-entered", {"zone": "door"})))  # counts in its minute
    applied(after.take(), held)
    assert after.take() == []
    person = {"place": "door", "label": "person"}
    assert found(held, "minute") == {
        Series("entered", **person): {minute: 3, minute + 60: 2},
        Series("left", **person): {minute: 1},
        Series("dwell", **person): {minute: 70},
        Series("peak", "door", ""): {minute: 3, minute + 60: 2},
        Series("out", "gate", "person"): {minute: 1},
        Series("new", "", "person"): {minute: 1},
    }
    hours = {series: sum(values.values()) for series, values in found(held, "hour").items()}
    assert hours[Series("entered", **person)] == 5
    assert hours[Series("peak", "door", "")] == 3


def test_counts_stay_within_their_bound_and_the_oldest_minutes_go_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("plugins.events.tallies.MOST_BYTES", most := MOST_BYTES // 20)
    tallies, held = Tallies(), dict[str, dict[bytes, bytes]]()
    series = [Series("entered", f"door{i}", "person") for i in range(4)]
    for step in range(12 * DAY_S // 600):
        ts = START_S + step * 600
        for each in series:
            tallies.add("gate", ts, each, 1 + step % 3)
        applied(tallies.take(), held)
        taken = sum(
            150 + sum(len(name) + len(value) + 6 for name, value in fields.items())
            for fields in held.values()
        )
        assert taken <= most
    minutes = sorted(key for key in held if "T" in key)
    days = sorted(key for key in held if "T" not in key)
    assert len(days) == 13
    assert len(minutes) > 12
    end = START_S + 12 * DAY_S - 600
    newest = keys_between("gate", end - 8 * HOUR_S, end, "minute")
    assert set(newest) <= set(minutes)


def test_too_many_series_are_refused_in_words(caplog: pytest.LogCaptureFixture) -> None:
    tallies = Tallies()
    for number in range(200):
        tallies.add("gate", START_S, Series("new", "", f"class-{number}"))
    assert len({write.field for write in tallies.take()}) == 2 * 128
    assert [record.message for record in caplog.records] == [
        "more than 128 series to count; new||class-128 is not"
    ]

"""Counts over time: what is written is what is read."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from mirante.counts import DAY_S, By, Digits, Series, digits_of, keys_between, read

NOON = 1_795_953_600  # 2026-11-29 12:00:00 UTC
DOOR = Series("entered", "door", "person")
BUS = Series("new", "", "traffic light | red")


def applied(writes: Iterable[Digits]) -> dict[str, dict[bytes, bytes]]:
    """What Redis holds once these are written."""
    held: dict[str, dict[bytes, bytes]] = {}
    for write in writes:
        fields = held.setdefault(write.key, {})
        value = fields.get(write.field.encode(), b"").decode().ljust(write.at, "0")
        end = write.at + len(write.text)
        text = value[: write.at] + write.text + value[end:]
        fields[write.field.encode()] = text.encode()
    return held


def read_back(
    held: dict[str, dict[bytes, bytes]], since: int, until: int, by: By
) -> dict[Series, dict[int, int]]:
    """What a reader of the span finds."""
    keys = keys_between("gate", since, until, by)
    return read([(begin, held.get(key, {})) for key, begin in keys.items()], by)


@pytest.mark.parametrize("value", [1, 61, 62, 63, 3843, 3844, 100_000])
def test_a_value_is_read_as_it_was_written(value: int) -> None:
    minutes = applied(digits_of("gate", DOOR, NOON + 61, value, "minute"))
    hours = applied(digits_of("gate", DOOR, NOON + 61, value, "hour"))
    assert read_back(minutes, NOON, NOON + 1, "minute") == {DOOR: {NOON + 60: value}}
    assert read_back(hours, NOON, NOON + 1, "hour") == {DOOR: {NOON: value}}


def test_writing_again_changes_nothing_and_later_values_replace() -> None:
    writes = [w for n in (1, 2, 70) for w in digits_of("gate", BUS, NOON, n, "minute")]
    once, twice = applied(writes), applied([*writes, *writes[-2:]])
    assert once == twice
    assert read_back(once, NOON, NOON + 60, "minute") == {BUS: {NOON: 70}}


def test_minutes_and_hours_lie_where_they_are_looked_for() -> None:
    times = [NOON - DAY_S, NOON - 1, NOON, NOON + 4 * 3600 - 1, NOON + 4 * 3600]
    writes = [w for ts in times for w in digits_of("gate", DOOR, ts, 5, "minute")]
    assert list(applied(writes)) == [
        "mirante:{gate}:counts:2026-11-28T12",
        "mirante:{gate}:counts:2026-11-29T08",
        "mirante:{gate}:counts:2026-11-29T12",
        "mirante:{gate}:counts:2026-11-29T16",
    ]
    found = read_back(applied(writes), times[0], times[-1] + 1, "minute")
    assert found == {DOOR: {ts // 60 * 60: 5 for ts in times}}
    day = keys_between("gate", NOON, NOON + DAY_S, "hour")
    assert [*day.values()] == [NOON - 12 * 3600, NOON + 12 * 3600]


@pytest.mark.parametrize(
    "field", [b"", b"entered|door", b"12|bad|door|person", b"xx|new||a", b"12|new^x||a", b"\xff"]
)
def test_a_field_of_another_form_is_left_out(field: bytes) -> None:
    assert read([(NOON, {field: b"1"})], "minute") == {}
    assert read([(NOON, {field: b"1"})], "hour") == {}

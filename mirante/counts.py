"""Counts over time: how they lie in Redis, and how they are read.

Two kinds of hashes, all times UTC. ``mirante:{camera}:counts:2026-11-29`` holds the hours of a day,
``mirante:{camera}:counts:2026-11-29T08`` the minutes of four hours. The value of a field is a text
with one digit of base 62 for each hour of the day or each minute of the hour, ``0-9a-zA-Z``; what
the text is too short for is 0. A number of several digits is written downwards: the next digit is
at the same place of the field whose metric ends in ``^1``, then ``^2``. One character a minute is
what lets weeks of minutes fit into a mebibyte.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Literal, NamedTuple, cast, get_args

from mirante.keys import counts_key

Metric = Literal["new", "entered", "left", "dwell", "peak", "in", "out"]
METRICS: tuple[Metric, ...] = get_args(Metric)
By = Literal["minute", "hour"]

DIGITS = string.digits + string.ascii_lowercase + string.ascii_uppercase
BASE = len(DIGITS)
MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
KEPT_S = 35 * DAY_S
BLOCK_S = 4 * HOUR_S  # a hash of minutes: at most 512 fields of 64 bytes are stored compactly
_FIELD = re.compile(
    r"((?P<hour>[01][0-9]|2[0-3])\|)?(?P<metric>[a-z]+)(\^(?P<plane>[0-9]))?"
    r"\|(?P<place>[^|]*)\|(?P<label>.*)",
    re.DOTALL,
)
_VALUES = {digit: value for value, digit in enumerate(DIGITS)}


class Series(NamedTuple):
    """A series of counts.

    Attributes:
        metric: ``new``: objects; ``entered``, ``left``: a zone; ``dwell``: the seconds in a zone of
            those that left; ``peak``: most objects in a zone at once; ``in``, ``out``: across a
            line.
        place: name of the zone or line; empty of ``new``.
        label: the class; empty of ``peak``.
    """

    metric: Metric
    place: str
    label: str

    def field(self, plane: int = 0) -> str:
        """Return the field of a hash of hours that has the digits of a plane, 0 for the lowest."""
        return f"{self.metric}{f'^{plane}' if plane else ''}|{self.place}|{self.label}"


class Digits(NamedTuple):
    """Characters to write into the value of a field, at a place. Writing them again changes
    nothing.

    Attributes:
        key: of the hash.
        field: of the hash.
        at: place of the first character; a value that is shorter is filled with ``0``.
        text: the characters; empty to write none.
        keep_s: seconds for which the hash is kept from now on; 0 to delete it.
    """

    key: str
    field: str
    at: int
    text: str
    keep_s: int = KEPT_S


def digits_of(camera: str, series: Series, ts: int, value: int, by: By) -> Iterator[Digits]:
    """Yield what to write for one value, the lowest digit first.

    Args:
        camera: its name.
        series: what is counted.
        ts: Unix seconds of a moment in the minute or hour.
        value: at least 0; a value of fewer digits than before leaves the higher ones as they are,
            so that it may only rise.
        by: whether it is of the minute or of the hour.
    """
    key, prefix, at = _place(camera, ts, by)
    plane = 0
    while True:
        yield Digits(key, prefix + series.field(plane), at, DIGITS[value % BASE])
        value //= BASE
        plane += 1
        if not value:
            return


def keys_between(camera: str, since: int, until: int, by: By) -> dict[str, int]:
    """Return the hashes that hold a span of Unix seconds, each with the moment that it begins at.

    Args:
        camera: its name.
        since: first second.
        until: the second behind the last.
        by: minutes or hours.
    """
    step = BLOCK_S if by == "minute" else DAY_S
    return {_place(camera, ts, by)[0]: ts for ts in range(since // step * step, until, step)}


def read(
    hashes: Iterable[tuple[int, Mapping[bytes, bytes]]], by: By
) -> dict[Series, dict[int, int]]:
    """Return the values of each series, by the Unix second at which their minute or hour begins;
    those that are 0 and fields that are not of this form are left out.

    Args:
        hashes: the moment that each begins at, and its fields.
        by: minutes or hours.
    """
    found: dict[Series, dict[int, int]] = {}
    for begin, fields in hashes:
        for field, text in fields.items():
            if (said := _read_field(field.decode("utf-8", "replace"), by)) is None:
                continue
            series, plane, hour = said
            step = MINUTE_S if by == "minute" else HOUR_S
            first = begin // DAY_S * DAY_S + hour * HOUR_S
            values = found.setdefault(series, {})
            for at, digit in enumerate(text.decode("ascii", "replace")):
                if value := _VALUES.get(digit, 0) * BASE**plane:
                    ts = first + at * step
                    values[ts] = values.get(ts, 0) + value
    return found


def _read_field(field: str, by: By) -> tuple[Series, int, int] | None:
    """Return series, plane and hour of a field."""
    said = _FIELD.fullmatch(field)
    if said is None or said["metric"] not in METRICS or (said["hour"] is None) == (by == "minute"):
        return None
    series = Series(cast(Metric, said["metric"]), said["place"], said["label"])
    return series, int(said["plane"] or 0), int(said["hour"] or 0)


def _place(camera: str, ts: int, by: By) -> tuple[str, str, int]:
    """Return key, what a field begins with, and the place in its value of a moment."""
    when = datetime.fromtimestamp(ts, UTC)
    day = f"{when:%Y-%m-%d}"
    if by == "hour":
        return counts_key(camera, day), "", when.hour
    block = when.hour * HOUR_S // BLOCK_S * BLOCK_S // HOUR_S
    return counts_key(camera, f"{day}T{block:02}"), f"{when.hour:02}|", when.minute

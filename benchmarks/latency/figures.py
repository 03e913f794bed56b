"""Frames sent, results read, and the figures computed from both."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

import numpy as np


class Sent(NamedTuple):
    """A frame that a camera sent; ``at_ns`` is on the machine's monotonic clock."""

    camera: int
    number: int
    at_ns: int


class Read(NamedTuple):
    """A result that a program read; ``infer_ms`` is the model's time, from the message."""

    camera: int
    number: int
    at_ns: int
    infer_ms: float


@dataclass(frozen=True, slots=True)
class Taken:
    """The outcome of one run.

    Attributes:
        sent: number of frames.
        total_ms: time from sending to reading, for each frame whose result was read.
        beyond_ms: the same without the model's time.
    """

    sent: int
    total_ms: Sequence[float]
    beyond_ms: Sequence[float]

    @property
    def share(self) -> float:
        """Share of the frames whose result was read."""
        return len(self.total_ms) / self.sent

    def figures(self) -> dict[str, float | None]:
        """Return the table's columns except the first, by name; None where nothing was read."""
        values: dict[str, float | None] = {"read_percent": 100 * self.share}
        for name, ms in (("sent_to_read", self.total_ms), ("beyond_inference", self.beyond_ms)):
            for part in (50, 95):
                value = float(np.percentile(ms, part)) if ms else None
                values[f"{name}_p{part}_ms"] = value
        return values


def taken(sent: Iterable[Sent], read: Iterable[Read], since_ns: int, until_ns: int) -> Taken:
    """Return the outcome of the frames that were sent within a span of time.

    A result belongs to the latest frame with its number that was sent before the result was read;
    a frame with several results counts once, with the first.
    """
    sends: dict[tuple[int, int], list[int]] = defaultdict(list)
    frames = 0
    for each in sorted(sent, key=lambda each: each.at_ns):
        sends[each.camera, each.number].append(each.at_ns)
        frames += since_ns <= each.at_ns < until_ns
    first: dict[tuple[int, int, int], tuple[float, float]] = {}
    for result in sorted(read, key=lambda each: each.at_ns):
        times = sends[result.camera, result.number]
        place = bisect_right(times, result.at_ns) - 1
        if place >= 0 and since_ns <= times[place] < until_ns:
            ms = (result.at_ns - times[place]) / 1e6
            key = (result.camera, result.number, times[place])
            first.setdefault(key, (ms, ms - result.infer_ms))
    return Taken(frames, [total for total, _ in first.values()], [b for _, b in first.values()])


def row(name: str, runs: Sequence[Taken]) -> tuple[str, ...]:
    """Return the median of each column, over the runs that have it."""
    each = [run.figures() for run in runs]
    columns = [[value for run in each if (value := run[column]) is not None] for column in each[0]]
    return (name, *(f"{median(column):.1f}" if column else "-" for column in columns))

"""The figures of processes over time, and how they grow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import psutil

MIB = 1 << 20
WINDOW = 0.2  # of the time, for the figures of start and end
WINDOW_MOST_S = 180.0


@dataclass(frozen=True, slots=True)
class Sample:
    """The figures of a moment.

    Attributes:
        at_s: monotonic.
        levels: what should stay as it is, by name.
        counts: what only rises.
    """

    at_s: float
    levels: Mapping[str, float]
    counts: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Growth:
    """A figure at the start and at the end.

    Attributes:
        name: what it is of.
        start, end: for levels, which swing, what nine of ten samples of a while are below; for
            counts their values.
        per_hour: what it grows by.
        is_level: it should stay as it is.
    """

    name: str
    start: float
    end: float
    per_hour: float
    is_level: bool

    @property
    def percent(self) -> float:
        """Growth in an hour as a share of the start."""
        return 100 * self.per_hour / self.start if self.start else 0.0

    def is_over(self, bound: float) -> bool:
        """True for a level that grows faster than by ``bound`` percent an hour, and by more than
        one, which a thread or a file that comes and goes is.
        """
        return self.is_level and self.percent > bound and self.end - self.start > 1


def growths(samples: Sequence[Sample]) -> list[Growth]:
    """Return how each figure grew.

    Raises:
        ValueError: there are not two samples.
    """
    if len(samples) < 2:
        raise ValueError("--minutes: too short to measure anything")
    first, last = samples[0], samples[-1]
    length_s = last.at_s - first.at_s
    window_s = min(WINDOW_MOST_S, WINDOW * length_s)
    early = [sample for sample in samples if sample.at_s <= first.at_s + window_s]
    late = [sample for sample in samples if sample.at_s >= last.at_s - window_s]
    apart_s = fmean(sample.at_s for sample in late) - fmean(sample.at_s for sample in early)
    found = []
    for name in first.levels:
        start, end = (_high([sample.levels[name] for sample in some]) for some in (early, late))
        found.append(Growth(name, start, end, (end - start) * 3600 / apart_s, is_level=True))
    for name in first.counts:
        start, end = first.counts[name], last.counts[name]
        found.append(Growth(name, start, end, (end - start) * 3600 / length_s, is_level=False))
    return found


def _high(values: Sequence[float]) -> float:
    """The 90th percentile: what is held when all cameras run, and not while they reconnect."""
    return sorted(values)[int(0.9 * (len(values) - 1))]


def levels_of(name: str, process: psutil.Process) -> dict[str, float]:
    """Return memory, open files and threads of a process."""
    with process.oneshot():
        return {
            f"{name} RSS MiB": process.memory_info().rss / MIB,
            f"{name} fds": process.num_fds(),
            f"{name} threads": process.num_threads(),
        }

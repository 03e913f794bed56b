"""Measure what a process with its children costs, and what else runs on the machine."""

from __future__ import annotations

import os
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from pipeline.control.room import RoomReport, Space

WINDOW_S = 60.0
EVERY_S = 10.0
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Mark:
    """How much processor time was used up to a moment, in seconds.

    Attributes:
        at_s: the moment, on ``time.monotonic``.
        own_s: by this process and its children, those too that ended.
        all_s: by everything on the machine, or in this container where that has a quota.
    """

    at_s: float
    own_s: float
    all_s: float

    @classmethod
    def now(cls, root: Path = _CGROUP) -> Mark:
        """Measure it now."""
        return cls(time.monotonic(), _own_s(), _all_s(root))


@dataclass(frozen=True, slots=True)
class Use:
    """Cores in use between two marks: by this process with its children, and by others."""

    own: float
    others: float

    @classmethod
    def between(cls, before: Mark, after: Mark) -> Use:
        """Compute it.

        Raises:
            ValueError: no time has passed.
        """
        seconds = after.at_s - before.at_s
        if seconds <= 0:
            raise ValueError(f"expected two moments, got {seconds:g} s between them")
        own = max(0.0, after.own_s - before.own_s) / seconds
        return cls(own, max(0.0, (after.all_s - before.all_s) / seconds - own))


class Room:
    """Follows, over the last minute, what the cameras of this process cost."""

    def __init__(self) -> None:
        self._marks: deque[Mark] = deque()
        self._cameras = 0
        self._due_s = 0.0
        self._said: RoomReport | None = None
        self._bytes = resident_bytes()  # before there are cameras

    def report(self, cameras: int, is_building: bool = False) -> RoomReport | None:
        """Return the room for more cameras; None until it was measured for 10 s with this many of
        them, and while engines are built, which takes all that cameras leave.

        It is measured only every 10 s, as finding the children means looking at every process.

        Args:
            cameras: that run now.
            is_building: whether a child process builds an engine, or measures some.
        """
        if cameras != self._cameras or is_building:
            self._marks.clear()
            self._cameras, self._due_s, self._said = cameras, 0.0, None
        if is_building:
            return None
        if time.monotonic() < self._due_s:
            return self._said
        now = Mark.now()
        self._due_s = now.at_s + EVERY_S
        self._marks.append(now)
        while now.at_s - self._marks[0].at_s > WINDOW_S:
            self._marks.popleft()
        if len(self._marks) > 1:
            self._said = _room(self._marks[0], now, cameras, resident_bytes() - self._bytes)
        return self._said


def _room(before: Mark, now: Mark, cameras: int, memory_bytes: int) -> RoomReport:
    use = Use.between(before, now)
    space = space_of(use.own + use.others)
    each = use.own / cameras if cameras else 0.0
    camera_bytes = max(0, memory_bytes // cameras) if cameras else None
    return RoomReport(
        cameras=cameras,
        camera_percent=round(100 * each, 1) if cameras else None,
        free_percent=round(100 * space.free, 1),
        more=space.holds(each, camera_bytes or 0).more if each > 0 else None,
        camera_bytes=camera_bytes,
        memory_left_bytes=space.memory_left_bytes,
        own_cores=space.own_cores,
        own_memory=space.own_memory,
    )


def space_of(used: float, root: Path = _CGROUP) -> Space:
    """Return what this machine, or container, has.

    Args:
        used: cores in use now.
        root: where the kernel shows containers' limits (cgroup v2).
    """
    memory = psutil.virtual_memory()
    total, free = memory.total, memory.available
    limit = _number(root / "memory.max")
    if limit is not None and limit < total:
        held = (_number(root / "memory.current") or 0) - _cached(root)
        total, free = int(limit), min(free, max(0, int(limit - held)))
    able, quota = float(len(os.sched_getaffinity(0))), _quota(root) or float("inf")
    return Space(
        cores=min(able, quota),
        used=used,
        memory_bytes=total,
        memory_free_bytes=free,
        own_cores=quota < able,
        own_memory=total < memory.total,
    )


def resident_bytes() -> int:
    """Return the memory that this process and its children hold."""
    found = 0
    for process in _tree():
        try:
            found += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return found


def _tree() -> list[psutil.Process]:
    own = psutil.Process()
    return [own, *own.children(recursive=True)]


def _own_s() -> float:
    """Return the time of the tree; a process counts with those of its children that ended."""
    found = 0.0
    for process in _tree():
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        found += times.user + times.system + times.children_user + times.children_system
    return found


def _all_s(root: Path) -> float:
    """Return the time of everything that shares the cores."""
    if _quota(root) is not None:
        lines = (root / "cpu.stat").read_text(encoding="utf-8").split()
        return int(lines[lines.index("usage_usec") + 1]) / 1e6
    return sum(_busy_s(times) for times in _own_cores())


def _own_cores() -> list[Any]:
    """Return the times of the cores that this process may use; others are no use to it."""
    each: list[Any] = psutil.cpu_times(percpu=True)
    able = os.sched_getaffinity(0)
    if max(able) >= len(each):  # some are offline, and which is which cannot be told
        return each
    return [times for core, times in enumerate(each) if core in able]


def _busy_s(times: Any) -> float:
    idle = times.idle + times.iowait
    guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)  # in user already
    return float(sum(times) - idle - guests)


def _quota(root: Path) -> float | None:
    """Return the cores that a container may use; None without a limit of its own."""
    try:
        limit, period = (root / "cpu.max").read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return None
    return None if limit == "max" else int(limit) / int(period)


def _cached(root: Path) -> int:
    """Return the bytes of files that a container holds and gives back when asked."""
    try:
        words = (root / "memory.stat").read_text(encoding="utf-8").split()
        return int(words[words.index("inactive_file") + 1])
    except (OSError, ValueError):
        return 0


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # "max" is no limit
        return None

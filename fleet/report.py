"""What a fleet's keeper says of it: where cameras are, what moved, and how many more fit.

How many fit is the reckoning of ``mirante size`` (``pipeline/control/room.py``): what is left of
each machine by what a camera takes, added up, and held against what Redis has left.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from fleet.ceilings import busiest
from pipeline.control.entries import Desired
from pipeline.control.fleet_report import (
    FleetReport,
    MemberReport,
    MoveReport,
    NodeReport,
    WaitingReport,
)
from pipeline.control.reports import WorkerReport
from pipeline.control.room import KEPT, Fit, fit

SHOWN = 50  # of the cameras that wait, and of the moves


@dataclass(frozen=True, slots=True)
class Kept:
    """What only the keeper knows.

    Attributes:
        workers: of the fleet, those too that are gone and have cameras yet.
        draining: those of them whose cameras are taken over.
        waiting: why, by camera that has no worker.
        moves: the newest first.
        moved: how many there were.
        keeper: its process, in words.
        gone: workers that no longer work; those without a report are gone too.
    """

    workers: Sequence[str] = ()
    draining: frozenset[str] = frozenset()
    waiting: Mapping[str, str] = field(default_factory=dict)
    moves: Sequence[MoveReport] = ()
    moved: int = 0
    keeper: str = ""
    gone: frozenset[str] = frozenset()


class Each(NamedTuple):
    """What one camera takes of each thing that may run out."""

    processor: float
    memory: float
    gpu: float

    @property
    def amounts(self) -> dict[str, float]:
        """By the names that ``fit`` is given."""
        return {"processor": self.processor, "memory": self.memory, "GPU": self.gpu}


def average(reports: Iterable[WorkerReport]) -> Each | None:
    """Return what a camera takes on average, of those that run; None before it was measured."""
    measured = [
        (report, room)
        for report in reports
        if (room := report.room) is not None and room.cameras and room.camera_percent
    ]
    cameras = sum(room.cameras for _, room in measured)
    if not cameras:
        return None
    cores = sum(room.cameras * (room.camera_percent or 0) / 100 for _, room in measured)
    held = [(room.cameras, room.camera_bytes) for _, room in measured if room.camera_bytes]
    memory = sum(n * size for n, size in held) / max(1, sum(n for n, _ in held))
    with_gpu = [(report, room) for report, room in measured if busiest(report) is not None]
    shares = sum((busiest(report) or 0.0) / 100 for report, _ in with_gpu)
    return Each(cores / cameras, memory, shares / max(1, sum(r.cameras for _, r in with_gpu)))


def hosts_of(reports: Iterable[WorkerReport]) -> dict[str, list[WorkerReport]]:
    """Return the reports by the machine of their workers, sorted."""
    found: dict[str, list[WorkerReport]] = defaultdict(list)
    for report in sorted(reports, key=lambda each: each.host):
        found[report.host].append(report)
    return dict(found)


def fit_on(reports: Sequence[WorkerReport], each: Each | None) -> Fit | None:
    """Return how many more cameras fit on one machine, as its workers tell of it; None where that
    was not measured yet.
    """
    rooms = [report.room for report in reports if report.room is not None]
    if not rooms or each is None:
        return None
    left = {"processor": min(room.free_percent for room in rooms) / 100}
    memory = [room.memory_left_bytes for room in rooms if room.memory_left_bytes is not None]
    if memory:
        left["memory"] = min(memory)
    if (busy := max((busiest(report) or 0.0 for report in reports), default=0.0)) > 0:
        left["GPU"] = 1 - KEPT - busy / 100
    return fit(left, each.amounts)


def make(
    entries: Mapping[str, Desired],
    reports: Mapping[str, WorkerReport],
    kept: Kept,
    redis: Fit | None = None,
) -> FleetReport:
    """Make the report.

    Args:
        entries: the cameras of the fleet.
        reports: of the workers that report, by name.
        kept: what only the keeper knows.
        redis: how many more cameras Redis takes; None where that was not measured.
    """
    own = {n: reports[n] for n in kept.workers if n in reports and n not in kept.gone}
    each = average(own.values())
    by_host = hosts_of(own.values())
    given = Counter(entry.worker for entry in entries.values() if entry.worker)
    fits = {host: fit_on(found, each) for host, found in by_host.items()}
    whole = whole_of(fits.values(), redis)
    return FleetReport(
        at=time.time(),
        keeper=kept.keeper,
        nodes=tuple(_node(host, by_host[host], given, fits[host]) for host in by_host),
        workers=tuple(_member(name, own.get(name), kept, given) for name in sorted(kept.workers)),
        cameras=len(entries),
        placed=given.total(),
        waiting=tuple(WaitingReport(camera=c, why=w) for c, w in sorted(kept.waiting.items()))[
            :SHOWN
        ],
        moves=tuple(kept.moves[:SHOWN]),
        moved=kept.moved,
        more=None if whole is None else whole.more,
        limited_by="" if whole is None else whole.limited_by,
        redis_more=None if redis is None else redis.more,
        each_percent=None if each is None else round(100 * each.processor, 1),
        each_bytes=None if each is None or not each.memory else round(each.memory),
    )


def whole_of(fits: Iterable[Fit | None], redis: Fit | None) -> Fit | None:
    """Return what all machines hold together, or Redis where that is less; None where nothing was
    measured.
    """
    known = [found for found in fits if found is not None]
    if not known:
        return None
    limits = Counter(found.limited_by for found in known)
    machines = Fit(sum(found.more for found in known), limits.most_common(1)[0][0])
    return machines if redis is None else min(machines, redis, key=lambda found: found.more)


def _node(
    host: str, reports: Sequence[WorkerReport], given: Counter[str], fits: Fit | None
) -> NodeReport:
    newest = max(reports, key=lambda report: report.at)
    return NodeReport(
        name=host,
        workers=len(reports),
        cameras=sum(given[report.worker] for report in reports),
        cores=newest.machine.cores,
        cpu_percent=newest.machine.cpu_percent,
        memory_bytes=newest.machine.memory_bytes,
        memory_used_bytes=newest.machine.memory_used_bytes,
        gpus=len(newest.gpus),
        gpu_percent=busiest(newest),
        more=None if fits is None else fits.more,
        limited_by="" if fits is None else fits.limited_by,
    )


def _member(
    name: str, report: WorkerReport | None, kept: Kept, given: Counter[str]
) -> MemberReport:
    if report is None:
        return MemberReport(name=name, state="gone", cameras=given[name])
    room = report.room
    measured = room is not None and room.camera_percent is not None
    return MemberReport(
        name=name,
        node=report.host,
        state="draining" if name in kept.draining else "running",
        cameras=given[name],
        running=sum(camera.state == "running" for camera in report.cameras.values()),
        load_percent=round(room.cameras * (room.camera_percent or 0), 1)
        if room is not None and measured
        else None,
    )

"""What a fleet's keeper says of it: where cameras are, what moved, and how many more fit.

How many fit is the reckoning of ``mirante size`` (``pipeline/control/room.py``): what is left of
each machine by what a camera takes, added up, and held against what Redis has left.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from fleet.ceilings import busiest, is_bounded
from pipeline.control.entries import Desired
from pipeline.control.fleet_report import (
    DRAINED,
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
        cores: that cameras may use of each worker in all, as it offers them.
        nodes: by worker, what the fleet calls its machine; those without are called by host name.
    """

    workers: Sequence[str] = ()
    draining: frozenset[str] = frozenset()
    waiting: Mapping[str, str] = field(default_factory=dict)
    moves: Sequence[MoveReport] = ()
    moved: int = 0
    keeper: str = ""
    gone: frozenset[str] = frozenset()
    cores: Mapping[str, float] = field(default_factory=dict)
    nodes: Mapping[str, str] = field(default_factory=dict)


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


def hosts_of(
    reports: Iterable[WorkerReport], nodes: Mapping[str, str]
) -> dict[str, list[WorkerReport]]:
    """Return the reports by the machine of their workers, sorted."""
    found: dict[str, list[WorkerReport]] = defaultdict(list)
    for report in reports:
        found[nodes.get(report.worker, report.host)].append(report)
    return dict(sorted(found.items()))


def fits_of(
    reports: Iterable[WorkerReport],
    each: Each | None,
    draining: Collection[str],
    cores: Mapping[str, float],
    nodes: Mapping[str, str],
) -> dict[str, Fit | None]:
    """Return how many more cameras fit, by machine; None where that was not measured yet.

    Args:
        reports: of workers that work.
        each: what one camera takes; None where that was not measured.
        draining: workers that are to have no cameras.
        cores, nodes: as of ``Kept``.
    """
    return {
        host: None
        if each is None
        else fit_on([one for one in found if one.worker not in draining], each, cores)
        for host, found in hosts_of(reports, nodes).items()
    }


def fit_on(reports: Sequence[WorkerReport], each: Each, cores: Mapping[str, float]) -> Fit | None:
    """Return how many more cameras fit on one machine; None where that was not measured yet, or
    where all that were are full and others may not be.

    Args:
        reports: of its workers that may have cameras.
        each: what one takes.
        cores: as of ``Kept``; a worker that is not there has no bound but the machine's.
    """
    if not reports:
        return Fit(0, DRAINED)
    apart = [one for one in reports if one.room is not None and one.room.own_cores]
    rest = [one for one in reports if one not in apart]
    groups = [*([one] for one in apart), *([rest] if rest else [])]
    found = [_fit_together(some, each, cores, _part(some, reports)) for some in groups]
    known = [one for one in found if one is not None]
    if not known or (len(known) < len(found) and not any(one.more for one in known)):
        return None
    return _added(known)


def _added(fits: Sequence[Fit]) -> Fit:
    """Return all of them together, which the largest limits."""
    limit = max(fits, key=lambda one: one.more).limited_by
    return Fit(sum(one.more for one in fits), limit)


def _part(some: Sequence[WorkerReport], reports: Sequence[WorkerReport]) -> float:
    """Return the part of what is left of a machine's memory that is for some of its workers."""
    sharing = sum(not is_bounded(one) for one in reports)
    return sum(not is_bounded(one) for one in some) / max(1, sharing)


def _fit_together(
    reports: Sequence[WorkerReport], each: Each, cores: Mapping[str, float], part: float
) -> Fit | None:
    """Return how many more cameras fit in what workers share: a machine, with a part of its memory,
    or a container's limit.
    """
    rooms = [report.room for report in reports if report.room is not None]
    if not rooms:
        return None
    left = {"processor": min(room.free_percent for room in rooms) / 100}
    shared = [room.memory_left_bytes for room in rooms if not room.own_memory]
    if memory := [size for size in shared if size is not None]:
        left["memory"] = part * min(memory)
    if (busy := max((busiest(report) or 0.0 for report in reports), default=0.0)) > 0:
        left["GPU"] = 1 - KEPT - busy / 100
    found = fit(left, each.amounts)
    own = [_own_room(report, each, cores.get(report.worker)) for report in reports]
    bounded = [room for room in own if room is not None]
    if found is None or len(bounded) < len(own):
        return found
    return min(found, _added(bounded), key=lambda one: one.more)


def _own_room(report: WorkerReport, each: Each, cores: float | None) -> Fit | None:
    """Return how many more cameras fit in the cores that a worker offers, and in the memory that is
    its alone; None without a bound.
    """
    room, left = report.room, dict[str, float]()
    if cores is not None:
        taken = 0.0 if room is None else room.cameras * (room.camera_percent or 0) / 100
        left["processor"] = cores - taken
    if room is not None and room.own_memory and room.memory_left_bytes is not None:
        left["memory"] = room.memory_left_bytes
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
    by_host = hosts_of(own.values(), kept.nodes)
    given = Counter(entry.worker for entry in entries.values() if entry.worker)
    fits = fits_of(own.values(), each, kept.draining, kept.cores, kept.nodes)
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


def whole_of(fits: Collection[Fit | None], redis: Fit | None) -> Fit | None:
    """Return what all machines hold together, or Redis where that is less; None where nothing was
    measured of those that are not drained, or where all that were are full and others may not be.
    """
    left = [found for found in fits if found is None or found.limited_by != DRAINED] or fits
    known = [found for found in left if found is not None]
    if not known:
        return None
    limits = Counter(found.limited_by for found in known)
    machines = Fit(sum(found.more for found in known), limits.most_common(1)[0][0])
    if not machines.more and len(known) < len(left):
        return None
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
        node=kept.nodes.get(name, report.host),
        state="draining" if name in kept.draining else "running",
        cameras=given[name],
        running=sum(camera.state == "running" for camera in report.cameras.values()),
        load_percent=round(room.cameras * (room.camera_percent or 0), 1)
        if room is not None and measured
        else None,
    )

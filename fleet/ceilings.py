"""What cameras may use of a worker's memory and GPU, as its report says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from pipeline.control.reports import WorkerReport
from pipeline.control.room import KEPT

_ANY = float("inf")


class Ceiling(NamedTuple):
    """The bounds of a worker's cameras together.

    Attributes:
        memory: bytes.
        gpu: share of a GPU, 0 to 1.
    """

    memory: float
    gpu: float


NO_CEILING = Ceiling(_ANY, _ANY)


def ceilings_of(
    reports: Mapping[str, WorkerReport], nodes: Mapping[str, str]
) -> dict[str, Ceiling]:
    """Return the ceilings of workers, each with its share of what is left of its machine.

    Args:
        reports: by worker, of those that work.
        nodes: by worker, what the fleet calls its machine, where that is known.
    """
    node_of = {worker: nodes.get(worker, report.host) for worker, report in reports.items()}
    sharing = Counter(node_of[w] for w, report in reports.items() if not is_bounded(report))
    return {
        worker: Ceiling(
            _memory(report, 1 if is_bounded(report) else sharing[node_of[worker]]),
            _ANY if busiest(report) is None else 1 - KEPT,
        )
        for worker, report in reports.items()
    }


def busiest(report: WorkerReport) -> float | None:
    """Return how busy a worker's busiest GPU is, in per cent; None where it has none, or none that
    tells.
    """
    shares = [g.utilisation_percent for g in report.gpus if g.utilisation_percent is not None]
    return max(shares, default=None)


def is_bounded(report: WorkerReport) -> bool:
    """Return whether a worker's memory is its container's alone."""
    return report.room is not None and report.room.own_memory


def _memory(report: WorkerReport, workers: int) -> float:
    room = report.room
    if room is None or room.memory_left_bytes is None:
        return _ANY
    return room.memory_left_bytes / workers + room.cameras * (room.camera_bytes or 0)

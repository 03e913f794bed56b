"""The cost of each camera in cores, as its worker measures it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from statistics import median

from pipeline.control.entries import Desired
from pipeline.control.reports import WorkerReport

DEFAULT = 0.25  # cores, of the first cameras of all
_WEIGHT = 0.3  # of the newest measurement
_STEP = 0.01  # of a core: what differs by less is the same
_MOST_SHARED = 4.0  # a process that takes more than so many times what its cameras do is building


class Costs:
    """The measured cost of each camera. One that was not measured yet costs what cameras with the
    same keys do, else what cameras do.

    A camera's own threads receive, decode and run its stages. What its worker's process takes
    besides (the threads of inference, sending, watching) is shared out among its cameras in
    proportion.
    """

    def __init__(self) -> None:
        self._measured: dict[str, float] = {}
        self._alike: dict[str, float] = {}
        self._kinds: dict[str, tuple[Mapping[str, object], str]] = {}
        self._usual = DEFAULT

    def note(self, report: WorkerReport, entries: Mapping[str, Desired]) -> None:
        """Take what a worker measured of its cameras.

        Args:
            report: of the worker.
            entries: the cameras of the fleet; of others nothing is noted.
        """
        own = {
            name: camera.cpu_percent / 100
            for name, camera in report.cameras.items()
            if camera.cpu_percent is not None and camera.state == "running"
        }
        threads = sum(own.values())
        process = report.process.cpu_percent / 100
        factor = min(_MOST_SHARED, max(1.0, process / threads)) if threads > 0 else 1.0
        for name, cores in own.items():
            if name in entries and entries[name].worker == report.worker:
                before = self._measured.get(name)
                now = cores * factor
                now = now if before is None else before + _WEIGHT * (now - before)
                self._measured[name] = now

    def settle(self, entries: Mapping[str, Desired]) -> None:
        """Forget cameras that are gone, and reckon what one costs that was not measured yet."""
        self._measured = {n: cost for n, cost in self._measured.items() if n in entries}
        self._kinds = {n: kind for n, kind in self._kinds.items() if n in entries}
        alike: dict[str, list[float]] = {}
        for name, cost in self._measured.items():
            alike.setdefault(self._kind(entries[name]), []).append(cost)
        self._alike = {kind: median(costs) for kind, costs in alike.items()}
        self._usual = median(self._measured.values()) if self._measured else DEFAULT

    def of(self, entry: Desired) -> float:
        """Return the cores that a camera takes."""
        cost = self._measured.get(entry.name)
        if cost is None:
            cost = self._alike.get(self._kind(entry), self._usual) if self._alike else self._usual
        return max(_STEP, round(cost / _STEP) * _STEP)

    def _kind(self, entry: Desired) -> str:
        """The keys of a camera but its address, as text: cameras that share them cost alike."""
        spec, kind = self._kinds.get(entry.name, (None, ""))
        if spec is not entry.spec:
            kind = json.dumps({k: v for k, v in entry.spec.items() if k != "url"}, sort_keys=True)
            self._kinds[entry.name] = (entry.spec, kind)
        return kind

"""What each camera takes of its worker: cores, memory and GPU, as the worker measures it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from statistics import median

from fleet.ceilings import busiest
from fleet.filled import CORES, GPU, MEMORY, Amounts
from pipeline.control.entries import Desired
from pipeline.control.reports import WorkerReport

DEFAULT = 0.25  # cores, of the first cameras of all
_WEIGHT = 0.3  # of the newest measurement
_STEPS = (0.01, 1 << 20, 0.001)  # what differs by less is the same: cores, bytes, share of a GPU
_MOST_SHARED = 4.0  # a process that takes more than so many times what its cameras do is building


class Costs:
    """What each camera was measured to take. One that was not measured yet takes what cameras with
    the same keys do, else what cameras do; where that is known it counts like one measurement, as
    the first of its own are of a camera that connects and of models that are loaded.

    A camera's own threads receive, decode and run its stages. What its worker's process takes
    besides (the threads of inference, sending, watching) is shared out among its cameras in
    proportion. Memory, with the models, and the GPU's time, of inference and of decoding there, are
    shared out among them evenly: nobody measures them by camera.
    """

    def __init__(self) -> None:
        self._measured: dict[str, tuple[Amounts, int]] = {}  # and how often
        self._alike: dict[str, Amounts] = {}
        self._kinds: dict[str, tuple[Mapping[str, object], str]] = {}
        self._usual: Amounts = (DEFAULT, 0.0, 0.0)

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
        memory = float((report.room and report.room.camera_bytes) or 0)
        gpu = (busiest(report) or 0.0) / 100 / max(1, len(own))
        for name, cores in own.items():
            if name in entries and entries[name].worker == report.worker:
                self._take(entries[name], (cores * factor, memory, gpu))

    def _take(self, entry: Desired, now: Amounts) -> None:
        expected = self._expected(entry), int(bool(self._alike))
        before, times = self._measured.get(entry.name, expected)
        weight = max(_WEIGHT, 1 / (times + 1))
        cores, memory, gpu = (
            new if not old else old + weight * (new - old)
            for new, old in zip(now, before, strict=True)
        )
        self._measured[entry.name] = (cores, memory, gpu), times + 1

    def settle(self, entries: Mapping[str, Desired]) -> None:
        """Forget cameras that are gone, and reckon what one takes that was not measured yet."""
        self._measured = {n: each for n, each in self._measured.items() if n in entries}
        self._kinds = {n: kind for n, kind in self._kinds.items() if n in entries}
        alike: dict[str, list[Amounts]] = {}
        for name, (takes, _) in self._measured.items():
            alike.setdefault(self._kind(entries[name]), []).append(takes)
        self._alike = {kind: _median(found) for kind, found in alike.items()}
        found = [takes for takes, _ in self._measured.values()]
        self._usual = _median(found) if found else (DEFAULT, 0.0, 0.0)

    def of(self, entry: Desired) -> Amounts:
        """Return what a camera takes: cores, bytes of memory, share of a GPU."""
        known = self._measured.get(entry.name)
        return _rounded(self._expected(entry) if known is None else known[0])

    def _expected(self, entry: Desired) -> Amounts:
        return self._alike.get(self._kind(entry), self._usual) if self._alike else self._usual

    def _kind(self, entry: Desired) -> str:
        """The keys of a camera but its address, as text: cameras that share them take alike."""
        spec, kind = self._kinds.get(entry.name, (None, ""))
        if spec is not entry.spec:
            kind = json.dumps({k: v for k, v in entry.spec.items() if k != "url"}, sort_keys=True)
            self._kinds[entry.name] = (entry.spec, kind)
        return kind


@lru_cache(maxsize=1 << 16)  # asked for every camera at each plan
def _rounded(takes: Amounts) -> Amounts:
    cores, memory, gpu = (
        round(amount / step) * step for amount, step in zip(takes, _STEPS, strict=True)
    )
    return max(_STEPS[CORES], cores), memory, gpu


def _median(found: list[Amounts]) -> Amounts:
    cores, memory, gpu = (median(each[what] for each in found) for what in (CORES, MEMORY, GPU))
    return cores, memory, gpu

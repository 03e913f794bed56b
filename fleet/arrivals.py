"""Cameras on their way to a worker: which have arrived, and which their new worker cannot reach.

A worker takes a camera over with its first frame, so one that it cannot reach stays where it was;
where the camera may allow one session, the worker takes it over without a frame in the end
(``pipeline/control/sessions.py``). What is dark there, and was not before, is given back, or to a
third worker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.control.entries import Desired
from pipeline.control.reports import WorkerReport
from pipeline.control.sessions import LATE_S, may_be_full

MOVING_S = 30.0  # that a camera may take to move before it is moved again for balance
FOLLOWED_S = 600.0  # that it may take until its worker runs it: its model may be fetched first
CHECKED = 500  # cameras on their way that are looked at in a step
FRESH_S = 2.0  # in which a worker begins a camera, and reports of it
DARK_S = LATE_S + 8.0  # without images since it was given away, until it is given back
SHUNNED_S = 600.0  # that a worker is not given a camera again which it could not reach
TRIES = 3  # workers that may be unable to reach a camera before it stays where it is
_TRIED = ("reconnecting", "failed")  # states of a camera after an attempt in vain

Reports = Mapping[str, WorkerReport]


class Seen(NamedTuple):
    """The workers, as the keeper sees them.

    Attributes:
        reports: the newest of each.
        read_s: when that was read, by the keeper's clock.
        alive: those that work.
    """

    reports: Reports
    read_s: Mapping[str, float]
    alive: frozenset[str]


@dataclass(slots=True)
class _Way:
    """Of one camera.

    Attributes:
        given_s: when it was given to its worker.
        source: the worker that ran it before; empty for none.
        is_there: its worker publishes it.
    """

    given_s: float
    source: str
    is_there: bool = False


class Arrivals:
    """Follows the cameras that were given to workers."""

    def __init__(self) -> None:
        self._ways: dict[str, _Way] = {}
        self._shunned: dict[str, dict[str, float]] = {}  # until when, by camera and worker

    def note(self, camera: str, source: str, reports: Reports, now_s: float) -> None:
        """Follow a camera that was given to a worker just now.

        Args:
            camera: its name.
            source: the worker that had it; empty for none.
            reports: the newest of the workers.
            now_s: by the keeper's clock.
        """
        known = reports.get(source)
        ran = known is None or camera not in known.cameras or _state(known, camera) == "running"
        self._ways[camera] = _Way(now_s, source if ran else "")

    def on_their_way(self, now_s: float) -> set[str]:
        """Return the cameras that have not arrived, and may soon."""
        return {
            camera
            for camera, way in self._ways.items()
            if not way.is_there and now_s - way.given_s < MOVING_S
        }

    def shuns(self, camera: str) -> frozenset[str]:
        """Return the workers that could not reach a camera."""
        return frozenset(self._shunned.get(camera, ()))

    def check(
        self,
        entries: Mapping[str, Desired],
        owners_of: Callable[[list[str]], Mapping[str, str]],
        now_s: float,
    ) -> dict[str, str]:
        """Look at some cameras on their way; return by camera the worker that publishes it where it
        is another than was thought: one that took over, and was lost before it was known.
        """
        self._ways = {n: way for n, way in self._ways.items() if n in entries}
        self._shunned = {n: left for n, by in self._shunned.items() if (left := _later(by, now_s))}
        found = {}
        for name, owner in owners_of(list(self._ways)[:CHECKED]).items():
            entry, way = entries[name], self._ways.pop(name)
            way.is_there = owner == entry.worker
            most_s = FOLLOWED_S if way.source else 0.0 if way.is_there else MOVING_S
            if now_s - way.given_s < most_s:
                self._ways[name] = way  # behind those that are yet to be looked at
            if owner and owner not in (entry.worker, entry.before):
                found[name] = owner
        return found

    def asked(self, entries: Mapping[str, Desired], now_s: float) -> set[str]:
        """Return the workers whose newest report is wanted: they have cameras that came from others
        a while ago, and may be dark.
        """
        return {
            entries[name].worker
            for name, way in self._ways.items()
            if way.source and name in entries and now_s - way.given_s > 1.0
        }

    def in_vain(
        self, entries: Mapping[str, Desired], fleet: Seen, now_s: float
    ) -> Iterator[tuple[str, str]]:
        """Yield the cameras that their workers cannot reach, each with the worker that ran it
        before; these shun their worker from now on.
        """
        for name, way in list(self._ways.items()):
            worker = entries[name].worker if name in entries else ""
            report = fleet.reports.get(worker) if way.source else None
            is_fresh = fleet.read_s.get(worker, 0.0) - way.given_s > FRESH_S
            if report is None or name not in report.cameras or not is_fresh:
                continue
            state, code = _state(report, name), report.cameras[name].code
            if way.is_there and state == "running":
                del self._ways[name]
            elif state in _TRIED and _is_dark(way, code, way.source in fleet.alive, now_s):
                shunned = self._shunned.setdefault(name, {})
                shunned[worker] = now_s + SHUNNED_S
                del self._ways[name]
                if len(shunned) < TRIES:
                    yield name, way.source


def _is_dark(way: _Way, code: str | None, is_before: bool, now_s: float) -> bool:
    """Return whether a camera that was tried in vain will not be seen there by itself.

    Args:
        way: of it.
        code: of its fault.
        is_before: the worker that had it works.
        now_s: by the keeper's clock.
    """
    if not may_be_full(code):
        return True
    # A camera may hold the session of a worker that died for minutes, whoever asks for another.
    return is_before and now_s - way.given_s > DARK_S


def _state(report: WorkerReport, camera: str) -> str:
    return report.cameras[camera].state


def _later(until: Mapping[str, float], now_s: float) -> dict[str, float]:
    return {worker: until_s for worker, until_s in until.items() if until_s > now_s}

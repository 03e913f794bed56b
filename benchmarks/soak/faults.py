"""The faults of a soak, each repeated at its own interval."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.soak.site import Site


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that happens in turns.

    Attributes:
        every: how many times as rare as a reconnect.
        turns: what is done, one after the other.
    """

    every: int
    turns: tuple[Callable[[Site], None], ...]


FAULTS = {
    "reconnects": Fault(1, (Site.restart_rtsp,)),
    "redis": Fault(5, (Site.kill_redis,)),
    "pages": Fault(2, (Site.open_pages, Site.close_pages)),
    "cameras": Fault(2, (Site.add_camera, Site.remove_cameras)),
}


class Schedule:
    """Does what is due.

    Args:
        names: of ``FAULTS``.
        every_s: seconds between two reconnects.
    """

    def __init__(self, names: tuple[str, ...], every_s: float) -> None:
        self._every_s = every_s
        self._done = dict.fromkeys(names, 0)

    def run(self, site: Site, passed_s: float) -> None:
        """Do what is due ``passed_s`` seconds after the start."""
        for name, done in self._done.items():
            fault = FAULTS[name]
            if passed_s >= (done + 1) * fault.every * self._every_s:
                self._done[name] += 1
                fault.turns[done % len(fault.turns)](site)

    def words(self) -> str:
        """Say what was done how often."""
        return ", ".join(f"{done} {name}" for name, done in self._done.items()) or "no faults"

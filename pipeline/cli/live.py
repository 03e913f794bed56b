"""Show a worker's cameras in the terminal, as a table that follows them."""

from __future__ import annotations

import time
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mirante.frame import Counts
from pipeline.control.reports import CameraReport, WorkerState

RATE_OVER_S = 2.0
_STYLES = {"running": "green", "failed": "red", "stalled": "yellow", "reconnecting": "yellow"}


class LiveStatus:
    """A context manager; the table stays at the bottom, what is logged goes above it."""

    def __init__(self, console: Console | None = None) -> None:
        self._live = Live(console=console, refresh_per_second=4)
        self._before: dict[str, int] = {}
        self._before_s: float | None = None
        self._rates: dict[str, float] = {}

    def show(self, now: WorkerState) -> None:
        """Draws the worker as it is now."""
        self._measure(now)
        table = Table("camera", "state", "frames/s", "published", "dropped", "failed", "reason")
        for name, camera, counts in now.accounts():
            table.add_row(*self._row(name, camera, counts))
        if not now.outbox.connected:
            table.caption = Text(f"Redis: {now.outbox.words}", style="red")
        self._live.update(table)

    def _row(self, name: str, camera: CameraReport, counts: Counts) -> tuple[str | Text, ...]:
        return (
            Text(name),
            Text(_state(camera), style=_STYLES.get(camera.state, "")),
            f"{self._rates.get(name, 0.0):.1f}",
            str(counts.published),
            dropped_words(counts),
            str(counts.failed),
            Text(camera.reason),
        )

    def _measure(self, state: WorkerState) -> None:
        now_s = time.monotonic()
        now = {name: counts.published for name, _, counts in state.accounts()}
        if self._before_s is not None:
            elapsed_s = now_s - self._before_s
            if elapsed_s < RATE_OVER_S:
                return
            gained = {name: now[name] - self._before.get(name, now[name]) for name in now}
            self._rates = {name: max(0, frames) / elapsed_s for name, frames in gained.items()}
        self._before, self._before_s = now, now_s

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()


def _state(camera: CameraReport) -> str:
    """``running``, ``running, asleep``."""
    is_asleep = camera.sleep is not None and camera.sleep.asleep
    return f"{camera.state}, asleep" if is_asleep else camera.state


def dropped_words(counts: Counts) -> str:
    """``12 rate, 3 queue``, or ``0``."""
    return ", ".join(f"{n} {reason}" for reason, n in counts.dropped.items() if n) or "0"

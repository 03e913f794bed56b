"""What a worker's cameras do now, as a table that stays in place in a terminal."""

from __future__ import annotations

import time
from collections.abc import Mapping

from rich.live import Live
from rich.table import Table
from rich.text import Text

from mirante.frame import Counts
from pipeline.metrics import CameraSnapshot, WorkerSnapshot

COLOURS = {"running": "green", "connecting": "yellow", "stalled": "red", "failed": "red"}
REFRESH_S = 1.0


class LiveTable:
    """Shows snapshots; nothing happens where the output is no terminal. A context manager."""

    def __init__(self, live: Live | None) -> None:
        self._live = live
        self._before: tuple[float, Mapping[str, Counts]] = (time.monotonic(), {})
        self._due_s = 0.0

    def __enter__(self) -> LiveTable:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, snapshot: WorkerSnapshot) -> None:
        """Draws, about once a second."""
        now_s = time.monotonic()
        if self._live is None or now_s < self._due_s:
            return
        self._due_s = now_s + REFRESH_S
        then_s, counts = self._before
        self._live.update(live_table(snapshot, counts, now_s - then_s), refresh=True)
        self._before = now_s, {name: c.counts for name, c in snapshot.cameras.items()}


def live_table(snapshot: WorkerSnapshot, before: Mapping[str, Counts], elapsed_s: float) -> Table:
    """One row a camera; rates are over ``elapsed_s`` seconds since the counts ``before``."""
    redis = "Redis takes results" if snapshot.outbox.connected else snapshot.outbox.words
    table = Table(title=f"{redis}; {snapshot.outbox.depth} waiting", title_justify="left")
    for heading in ("camera", "state", "frames/s", "published", "dropped", "failed", "objects"):
        table.add_column(heading, justify="left" if heading in {"camera", "state"} else "right")
    for name, camera in snapshot.cameras.items():
        rate = (camera.counts.published - before.get(name, Counts()).published) / elapsed_s
        table.add_row(
            name, _state(camera), f"{rate:.1f}" if name in before else "", *_numbers(camera)
        )
    return table


def dropped_words(counts: Counts) -> str:
    """``12 rate, 3 queue``, or ``0``."""
    parts = [f"{frames} {reason}" for reason, frames in counts.dropped.items() if frames]
    return ", ".join(parts) or "0"


def _state(camera: CameraSnapshot) -> Text:
    words = camera.state if camera.state == "running" else f"{camera.state}: {camera.reason}"
    return Text(words, style=COLOURS.get(camera.state, ""))


def _numbers(camera: CameraSnapshot) -> tuple[str, str, str, str]:
    counts = camera.counts
    return (
        str(counts.published),
        dropped_words(counts),
        str(counts.failed),
        str(camera.detections),
    )

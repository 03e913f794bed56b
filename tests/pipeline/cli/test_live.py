from __future__ import annotations

import io

import pytest
from rich.console import Console

from mirante.frame import Counts
from pipeline.cli.live import LiveStatus
from pipeline.control.reports import CameraReport, WorkerState
from tests.support.worker_states import AWAY, GATE, OUTBOX, worker


def state(published: int, connected: bool) -> WorkerState:
    counts = Counts(published + 3, published, {"rate": 0, "queue": 3}, 0)
    camera = CameraReport(
        state="stalled", reason="no frame for 3.0 s", counts=counts, in_flight=0, detections=0
    )
    return worker(OUTBOX if connected else AWAY, gate=camera)


def test_table_follows_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    clock_s = 100.0
    monkeypatch.setattr("pipeline.cli.live.time.monotonic", lambda: clock_s)
    console = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=120)
    with LiveStatus(console) as live:
        live.show(state(100, connected=True))
        clock_s = 104.0
        live.show(state(130, connected=False))
    assert isinstance(console.file, io.StringIO)
    last = console.file.getvalue().rpartition("camera")[2]
    row = next(line for line in last.splitlines() if "gate" in line)
    cells = [cell.strip() for cell in row.strip("│ ").split("│")]
    assert cells == ["gate", "stalled", "7.5", "130", "3 queue", "0", "no frame for 3.0 s"]
    assert "Redis: connection refused" in last


def test_a_camera_that_is_asleep_says_so() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=120)
    with LiveStatus(console) as live:
        live.show(worker(OUTBOX, gate=GATE))
    assert isinstance(console.file, io.StringIO)
    assert "│ running, asleep │" in console.file.getvalue()

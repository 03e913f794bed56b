"""Loses an RTSP camera again and again; prints how the memory of the process grows.

usage: reconnected_camera.py URL RECONNECTS

A process of its own, with the camera in another: what else comes and goes is not measured.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from pipeline.cameras import state as camera_state
from pipeline.cameras.state import State, Transition
from pipeline.config.camera import Camera
from pipeline.gst.camera import CameraRunner
from plugins.ledger import Ledger
from plugins.line import Line

WARM = 40  # reconnects after which the first measure is taken: caches are full, threads are there
EVERY = 100
PATIENCE_S = 60  # for one reconnect


def resident_mb() -> float:
    """The memory that this process holds, with what Python has not collected yet."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def main(url: str, reconnects: int) -> None:
    """Print megabytes every so many reconnects, and at last the growth after the first ``WARM``."""
    camera_state.BACKOFF_FIRST_S = camera_state.BACKOFF_MOST_S = 0.0
    lost = threading.Semaphore(0)

    def changed(change: Transition) -> None:
        if change.state == State.RECONNECTING:
            lost.release()

    spec = Camera.model_validate({"url": url})
    runner = CameraRunner("reconnected", spec, "fakesink", Line(Ledger("reconnected")), changed)
    runner.start()
    held = {}
    try:
        for done in range(1, WARM + reconnects + 1):
            assert lost.acquire(timeout=PATIENCE_S), f"{done} reconnects, then none"
            if (done - WARM) % EVERY == 0 or done == WARM + reconnects:
                held[done - WARM] = resident_mb()
                sys.stderr.write(f"{done - WARM} {held[done - WARM]:.1f}\n")
    finally:
        runner.stop()
    sys.stdout.write(f"{held[reconnects] - held[0]:.2f}\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

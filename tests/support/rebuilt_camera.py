"""Rebuilds a camera again and again; prints by how many megabytes the process grew.

usage: rebuilt_camera.py WARM CHANGES

A process of its own: what other tests leave behind comes and goes by more than is measured here.
"""

from __future__ import annotations

import gc
import sys
import time
from pathlib import Path

from pipeline.cameras import state as camera_state
from pipeline.cameras.state import Transition
from pipeline.config.camera import Camera
from pipeline.gst.camera import CameraRunner
from plugins.ledger import Ledger
from plugins.line import Line

PATIENCE_S = 100


def resident_mb() -> float:
    """Return the memory that this process holds."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def main(warm: int, most: int) -> None:
    """Print the growth from the ``warm``-th change of state to the ``most``-th."""
    camera_state.BACKOFF_FIRST_S = camera_state.BACKOFF_MOST_S = camera_state.SLOW_RETRY_S = 0.0
    changes = 0

    def changed(_: Transition) -> None:
        nonlocal changes
        changes += 1

    spec = Camera.model_validate({"url": "file:/no/such/clip.mp4"})
    runner = CameraRunner("rebuilt", spec, "fakesink", Line(Ledger("rebuilt")), changed)
    until_s = time.monotonic() + PATIENCE_S
    runner.start()
    held = []
    for least in (warm, most):
        while changes < least:
            assert time.monotonic() < until_s, f"{changes} changes in {PATIENCE_S} s"
            time.sleep(0.05)
        held.append(resident_mb())
    runner.stop()
    sys.stdout.write(f"{held[1] - held[0]:.2f}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

"""Messages as a worker's outbox writes them: of the sizes, and by the script, of the real ones."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mirante import Counts, Detections, FrameResult

LABELS = ("person", "bicycle", "car", "motorcycle", "bus", "truck")
OBJECTS = 8  # of a street by day


def street(objects: int = OBJECTS) -> FrameResult:
    """Return a frame of a camera that looks at a street: objects with their tracks."""
    rng = np.random.default_rng(7)
    corner = rng.uniform((0, 0), (1200, 600), (objects, 2))
    size = rng.uniform(20, 200, (objects, 2))
    found = Detections(
        np.concatenate([corner, corner + size], 1).astype(np.float32),
        rng.uniform(0.4, 0.95, objects).astype(np.float32),
        rng.integers(0, len(LABELS), objects).astype(np.int32),
        LABELS,
        track_id=np.arange(100, 100 + objects, dtype=np.int64),
    )
    timings = {"decode": 3.31, "queue": 0.42, "infer": 12.87, "track": 0.36}
    return FrameResult("", 0, 0, 0, "rtcp", 1920, 1080, detections=found, timings=timings)


def numbered(frame: FrameResult, camera: str, number: int, epoch: int) -> FrameResult:
    """Return a frame as the one that a camera published just now."""
    return replace(
        frame,
        camera=camera,
        seq=2 * number,
        epoch=epoch,
        captured_ns=time.time_ns(),
        counts=Counts(2 * number + 1, number + 1, {"rate": number}, 0),
    )


def shares(names: Sequence[str], count: int) -> list[list[str]]:
    """Return the names in so many parts of about equal size."""
    return [list(names[part::count]) for part in range(count)]

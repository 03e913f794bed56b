"""Frames to encode, and a road's lane mask drawn by hand."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirante import Counts, Detections, Event, FrameResult, Mask

CAPTURED_NS = 1_763_899_667_123_456_000


def some_detections(tracked: bool = True) -> Detections:
    return Detections(
        np.array([[10.25, 20.5, 110.75, 220.0], [0, 0, 959.99, 539.5]], np.float32),
        np.array([0.9, 0.4321], np.float32),
        np.array([2, 0], np.int32),
        ("person", "bicycle", "car"),
        np.array([7, -1], np.int64) if tracked else None,
    )


def lane_planes(height: int = 360, width: int = 640) -> NDArray[np.bool_]:
    """(2, height, width) bool: two rough-edged lane lines, and the road between them."""
    rng = np.random.default_rng(5)
    planes = np.zeros((2, height, width), np.bool_)
    top = round(0.55 * height)
    for y in range(top, height):
        depth = (y - top) / (height - top)
        left = round(width * (0.48 - 0.33 * depth) + rng.integers(-1, 2))
        right = round(width * (0.53 + 0.30 * depth) + rng.integers(-1, 2))
        half = 1 + round(6 * depth)
        planes[0, y, left - half : left + half] = True
        planes[0, y, right - half : right + half] = True
        planes[1, y, left:right] = True
    return planes


def some_frame(**changes: Any) -> FrameResult:
    lanes = Mask.from_planes(("lane", "drivable"), lane_planes(), (0, 0, 960, 540), "twinlitenet")
    face = Mask.from_planes(("face",), np.eye(9, 13, dtype=bool)[None], (10, 20, 30.5, 40), "u")
    facts: dict[str, Any] = {
        "camera": "gate",
        "seq": 41,
        "epoch": 1_763_899_600_000,
        "captured_ns": CAPTURED_NS,
        "ts_source": "rtcp",
        "width": 960,
        "height": 540,
        "detections": some_detections().with_masks([(1, face)]),
        "masks": (lanes,),
        "timings": {"queue": 0.125, "infer": 20.5},
        "counts": Counts(42, 30, {"rate": 10, "queue": 1}, 1),
    }
    return FrameResult(**(facts | changes))


def some_event(**changes: Any) -> Event:
    facts: dict[str, Any] = {
        "id": "1763899600000-7-line-crossed-gate-1",
        "camera": "gate",
        "kind": "line-crossed",
        "ts": 1763899667.123456,
        "seq": 41,
        "epoch": 1_763_899_600_000,
        "track_id": 7,
        "label": "person",
        "score": 0.91,
        "bbox": (10.25, 20.5, 100.5, 199.5),
        "line": "gate",
        "direction": "in",
        "dwell_s": 12.5,
        "speed_kmh": 4.5,
        "speed_error_kmh": 0.25,
        "distance_m": 3.0,
        "clip": "1763899667000",
        "votes": {"person": 0.9, "car": 0.1},
        "path": [(10.0, 20.0), (60.5, 220.0)],
        "best": 1763899666.5,
        "image": True,
        "reason": "person crossed gate, in",
    }
    return Event(**(facts | changes))

"""Walks of tracked objects, as a camera of 640x360 shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mirante.detections import Detections
from mirante.frame import FrameResult

START_NS = 1_763_899_600_000_000_000
DOOR = {"polygon": [[0.25, 0.25], [0.75, 0.25], [0.75, 1], [0.25, 1]]}
GATE = {"from": [0.5, 1], "to": [0.5, 0]}  # upwards: its right is the image's
Place = tuple[float, float]
GROUND = {
    "image": [[0.1, 0.9], [0.9, 0.9], [0.7, 0.4], [0.3, 0.4]],
    "metres": [[0, 0], [8, 0], [8, 20], [0, 20]],
}


def frame(
    t_s: float,
    places: dict[int, Place],
    label: str = "person",
    score: float = 0.9,
    height: float = 80,
    **changes: Any,
) -> FrameResult:
    """Objects by track, their boxes standing on their places, in pixels."""
    boxes = [[x - 20, y - height, x + 20, y] for x, y in places.values()]
    still = changes.pop("still", None)
    masks = changes.pop("own", ())
    tracked = changes.pop("tracked", True)
    count = len(boxes)
    objects = Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(count, score, np.float32),
        np.zeros(count, np.int32),
        (label,),
        np.array(list(places), np.int64) if tracked else None,
        masks=masks,
        still=None if still is None else np.array(still, np.bool_),
    )
    facts: dict[str, Any] = {"epoch": 1000, "detections": objects} | changes
    ns = START_NS + round(t_s * 1e9)
    return FrameResult(
        "gate", round(t_s * 100), captured_ns=ns, ts_source="rtcp", width=640, height=360, **facts
    )


def walk(
    xs: Sequence[float], fps: float, start_s: float = 0.0, track: int = 1
) -> list[FrameResult]:
    return [frame(start_s + i / fps, {track: (x, 300)}) for i, x in enumerate(xs)]

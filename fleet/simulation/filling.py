"""Cameras of a simulation in the registry, as many as there are at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import redis

from pipeline.control.entries import Desired
from pipeline.control.versioned import watch, write

_AREA = [[0.1, 0.2], [0.9, 0.2], [0.9, 0.95], [0.1, 0.95]]


def camera_name(number: int) -> str:
    """Return the name of a simulated camera."""
    return f"camera-{number:05}"


def spec_of(number: int) -> dict[str, Any]:
    """Return the keys of a camera that looks at a street, as long as those of a real one."""
    zone = {"name": "pavement", "polygon": _AREA, "classes": ["person"], "loitering_s": 30}
    line = {"name": "door", "line": _AREA[:2], "classes": ["person"]}
    return {
        "url": f"rtsp://10.{number >> 16}.{number >> 8 & 255}.{number & 255}:554/stream/101",
        "fps": 10,
        "width": 640,
        "height": 360,
        "stages": [
            {"model": "yolox-street"},
            {"track": "bytetrack"},
            {"zones": [zone], "lines": [line]},
        ],
    }


def fill(client: redis.Redis, entries: Sequence[Desired]) -> None:
    """Write entries in one change.

    Raises:
        redis.WatchError: somebody else wrote meanwhile.
    """
    with client.pipeline(transaction=True) as pipe:
        write(pipe, watch(pipe), {entry.name: entry for entry in entries}, is_lost=False)

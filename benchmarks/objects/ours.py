"""The stages of this project on made-up frames: who is who, and how long they take."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median

import numpy as np
from numpy.typing import NDArray

from benchmarks.objects.library import Answer
from mirante.detections import UNTRACKED
from mirante.frame import FrameResult
from mirante.mask import Mask
from pipeline.demo.road import FRAMES, road_picture
from plugins.carriage import Carriage
from plugins.events.stage import EventsStage
from plugins.frame import Frame
from plugins.lanes.stage import LanesStage
from plugins.ledger import Ledger
from plugins.memory import Memory
from plugins.track.stage import TrackStage
from plugins.zones.stage import ZonesStage

Stage = Callable[[Frame, FrameResult], FrameResult]
NOTHING = Frame(np.zeros((2, 2, 3), np.uint8))  # for stages that do not look at it
RULES = json.dumps(
    {
        "zones": {
            "near": {"polygon": [[0, 0.6], [1, 0.6], [1, 1], [0, 1]]},
            "far": {"polygon": [[0.3, 0.3], [0.7, 0.3], [0.7, 0.6], [0.3, 0.6]]},
        },
        "lines": {"gate": {"from": [0.5, 0.2], "to": [0.5, 1]}},
    }
)


def track(frames: Sequence[FrameResult]) -> Answer:
    """Return what the tracker says of frames."""
    stage, ids, took_ms = TrackStage(), [], []
    for frame in frames:
        began_s = time.thread_time()
        found = stage(NOTHING, frame).detections.track_id
        took_ms.append((time.thread_time() - began_s) * 1e3)
        ids.append(np.full(len(frame.detections), UNTRACKED) if found is None else found)
    return Answer(ids, median(took_ms))


def numbered(frames: Sequence[FrameResult]) -> list[FrameResult]:
    """Return frames as the tracker leaves them."""
    stage = TrackStage()
    return [stage(NOTHING, frame) for frame in frames]


def zones_ms(frames: Sequence[FrameResult]) -> float:
    """Return the median time of counting at two zones and a line, in frames with numbers."""
    return _median_ms(ZonesStage(RULES), frames)


def lanes_ms(frames: Sequence[FrameResult]) -> float:
    """Return the median time of turning the planes of a road into lanes."""
    planes = [_planes(number) for number in range(0, FRAMES, 12)]
    seen = [
        replace(frame, masks=(planes[number % len(planes)],)) for number, frame in enumerate(frames)
    ]
    return _median_ms(LanesStage(), seen)


def events_ms(frames: Sequence[FrameResult]) -> float:
    """Return the median time of looking for events and better moments, in frames with numbers."""
    memory = Memory()
    stage = EventsStage(memory=memory, carriage=Carriage(Ledger("road"), memory))
    return _median_ms(stage, frames, Frame(np.zeros((720, 1280, 3), np.uint8)))


def _planes(number: int) -> Mask:
    picture = road_picture(number)
    planes: NDArray[np.bool_] = np.stack([picture.lane, picture.road])
    height, width = picture.lane.shape
    return Mask.from_planes(("lane", "drivable"), planes, (0.0, 0.0, width, height), "road")


def _median_ms(stage: Stage, frames: Sequence[FrameResult], pixels: Frame = NOTHING) -> float:
    took_ms = []
    for frame in frames:
        began_s = time.thread_time()
        stage(pixels, frame)
        took_ms.append((time.thread_time() - began_s) * 1e3)
    return median(took_ms)

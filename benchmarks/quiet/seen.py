"""What a camera saw of a scene, and the figures that come of it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engines.agreement import overlaps
from mirante.detections import Detections
from mirante.frame import FrameResult

SURE = 0.5  # score of the objects that are looked for in both
ALIKE = 0.5  # overlap of two boxes of one object
NEAR = 0.3  # overlap with what crosses, from which it is found
AFTER_S = 2.0  # after something has left, the gate still sees it go
MOTION, TRACK = "motion", "track"

Span = tuple[float, float]


@dataclass(slots=True)
class Seen:
    """One run of a camera.

    Attributes:
        frames: by the number of the moment at which they were sent.
        events: their kinds.
        cpu_s: CPU seconds of the camera's process and of its Redis.
        wall_s: seconds that it took.
    """

    frames: Mapping[int, FrameResult] = field(default_factory=dict)
    events: Sequence[str] = ()
    cpu_s: float = 0.0
    wall_s: float = 0.0

    @property
    def of_a_core(self) -> float:
        """Percent of a core."""
        return 100 * self.cpu_s / self.wall_s

    @property
    def sent(self) -> int:
        """Frames that were sent from the first one to the last one that came."""
        return max(self.frames) - min(self.frames) + 1

    @property
    def published_percent(self) -> float:
        """Percent of the frames that results came of: not of those that are not decoded."""
        return 100 * len(self.frames) / self.sent

    @property
    def looked_percent(self) -> float:
        """Percent of the frames that models looked at."""
        return 100 * sum(not frame.skipped for frame in self.frames.values()) / self.sent

    def looked_for(self, reason: str) -> float:
        """Return the percent of the frames that models looked at for a reason of the gate's."""
        return 100 * sum(each.looked == reason for each in self.frames.values()) / self.sent

    @property
    def new_objects(self) -> int:
        """Objects that events tell of."""
        return sum(kind == "object-new" for kind in self.events)


def found_again(gated: Seen, whole: Seen) -> tuple[int, int]:
    """Return how many of the objects of ``whole``, frame by frame, ``gated`` tells of too, and of
    how many. Of a frame of which nothing came it tells what it told before.
    """
    found = total = 0
    numbers = sorted(gated.frames)
    for number, frame in whole.frames.items():
        if place := bisect_right(numbers, number):
            sure = frame.detections.score >= SURE
            total += int(sure.sum())
            other = gated.frames[numbers[place - 1]]
            found += _matched(frame.detections, sure, other.detections)
    return found, total


def _matched(wanted: Detections, sure: NDArray[np.bool_], given: Detections) -> int:
    if not sure.any() or not len(given):
        return 0
    alike = overlaps(wanted.xyxy[sure], given.xyxy) >= ALIKE
    same = wanted.class_id[sure][:, None] == given.class_id[None, :]
    return int((alike & same).any(axis=1).sum())


def false_wakes(seen: Seen, fps: int, count: int, visits: Sequence[Span]) -> float | None:
    """Return how often a minute motion is seen where nothing moves; None where all moves.

    Args:
        seen: with the gate.
        fps: frames a second.
        count: frames of the scene, over and over.
        visits: from when to when something moves, in seconds of the scene.
    """
    wakes, quiet, before = 0, 0, ""
    for number, frame in sorted(seen.frames.items()):
        at_s = number % count / fps
        if not any(begin_s <= at_s < end_s + AFTER_S for begin_s, end_s in visits):
            quiet += 1
            wakes += frame.looked == MOTION != before
        before = frame.looked
    return 60 * fps * wakes / quiet if quiet else None


def first_found_s(
    seen: Seen, fps: int, begin: int, boxes: Sequence[tuple[float, float, float, float]]
) -> float | None:
    """Return after how many seconds what crosses is found; None where it is not.

    Args:
        seen: the run.
        fps: frames a second.
        begin: the number of the frame in which it begins to cross.
        boxes: where it is in each frame from then on, in 0..1.
    """
    for place, box in enumerate(boxes):
        if (frame := seen.frames.get(begin + place)) is not None and len(frame.detections):
            truth = np.array([box], np.float32) * np.array(
                [frame.width, frame.height] * 2, np.float32
            )
            if overlaps(frame.detections.xyxy, truth).max() >= NEAR:
                return place / fps
    return None

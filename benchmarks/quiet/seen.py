"""Results of a camera that watched a scene, and the figures computed from them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engines.agreement import overlaps
from mirante.detections import Detections
from mirante.frame import FrameResult

SURE = 0.5  # minimum score of the objects that both runs should find
ALIKE = 0.5  # minimum overlap of two boxes of one object
NEAR = 0.3  # minimum overlap with the object that crosses, for it to be found
AFTER_S = 2.0  # for so long after something has left, the gate may still see it go
MOTION, TRACK = "motion", "track"

Span = tuple[float, float]


@dataclass(slots=True)
class Seen:
    """One run of a camera.

    Attributes:
        frames: by the number of the frame period in which they were sent.
        events: the kind of each.
        cpu_s: CPU seconds of the camera's process and of its Redis.
        wall_s: length of the run in seconds.
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
        """Frames that were sent, from the first to the last that was published."""
        return max(self.frames) - min(self.frames) + 1

    @property
    def published_percent(self) -> float:
        """Percent of the frames that were published; frames that were not decoded are not."""
        return 100 * len(self.frames) / self.sent

    @property
    def looked_percent(self) -> float:
        """Percent of the frames that models looked at."""
        return 100 * sum(not frame.skipped for frame in self.frames.values()) / self.sent

    def looked_for(self, reason: str) -> float:
        """Return the percent of the frames that models looked at for one of the gate's reasons."""
        return 100 * sum(each.looked == reason for each in self.frames.values()) / self.sent

    @property
    def new_objects(self) -> int:
        """Number of objects that events report as new."""
        return sum(kind == "object-new" for kind in self.events)


def found_again(gated: Seen, whole: Seen) -> tuple[int, int]:
    """Return how many of the objects in ``whole`` are in ``gated`` too, frame by frame, and the
    number of objects in ``whole``. A frame missing from ``gated`` counts with the result before it.
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
    """Return how often a minute motion is seen while nothing moves; None if something always does.

    Args:
        seen: with the gate.
        fps: frames a second.
        count: frames of the scene, which repeats.
        visits: start and end of each time something moves, in seconds of the scene.
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
    """Return the seconds until the object that crosses is found; None if it never is.

    Args:
        seen: the run.
        fps: frames a second.
        begin: number of the frame in which it begins to cross.
        boxes: where it is in each frame from then on, in 0..1.
    """
    for place, box in enumerate(boxes):
        if (frame := seen.frames.get(begin + place)) is not None and _has(frame, box):
            return place / fps
    return None


def unseen(
    seen: Seen, off: Seen, begin: int, boxes: Sequence[tuple[float, float, float, float]]
) -> int:
    """Return the number of frames in which the object that crosses was found without the gate while
    no model looked with it; arguments as of ``first_found_s``.
    """
    count = 0
    for number, box in enumerate(boxes, begin):
        whole, gated = off.frames.get(number), seen.frames.get(number)
        if whole is not None and _has(whole, box):
            count += gated is None or bool(gated.skipped)
    return count


def _has(frame: FrameResult, box: tuple[float, float, float, float]) -> bool:
    """Return whether an object was found at a place in 0..1."""
    if not len(frame.detections):
        return False
    size = np.array([frame.width, frame.height] * 2, np.float32)
    return bool(overlaps(frame.detections.xyxy, np.array([box], np.float32) * size).max() >= NEAR)

"""The stage that tracks: a plain function of a frame and its result."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from engines.names import resolve
from mirante.detections import UNTRACKED
from mirante.frame import FrameResult
from plugins.frame import Frame
from plugins.memory import Memory
from plugins.track.options import TrackOptions
from plugins.track.tracker import ALGORITHMS, Tracker

PART = "track"  # of the camera's memory


class TrackStage:
    """Gives each object a number that it keeps from frame to frame.

    The objects of a damaged frame get none: what is found there is no evidence, and the tracks go
    on with the next whole frame.

    Args:
        algorithm: a key of ``ALGORITHMS``.
        options: of the tracker.
        memory: that of the camera; None for a stage by itself.

    Raises:
        UnknownNameError: there is no such algorithm.
    """

    def __init__(
        self,
        algorithm: str = "bytetrack",
        options: TrackOptions | None = None,
        memory: Memory | None = None,
    ) -> None:
        made = resolve("tracker", algorithm, ALGORITHMS)
        self._tracker: Tracker = (memory or Memory()).part(PART, made)
        self._tracker.options = options or TrackOptions()

    def __call__(self, frame: Frame, result: FrameResult) -> FrameResult:
        """Number the objects."""
        del frame
        began = time.perf_counter()
        count = len(result.detections)
        if result.damaged:
            ids, still = np.full(count, UNTRACKED), np.zeros(count, np.bool_)
        else:
            ids, still = self._tracker.update(result)
        found = replace(result.detections, track_id=ids, still=still)
        timings = {**result.timings, "track": (time.perf_counter() - began) * 1e3}
        return replace(result, detections=found, timings=timings)

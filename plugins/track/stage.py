"""The stage that tracks: a plain function of a frame and its result."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from engines.inference import summed
from engines.names import resolve
from mirante.detections import UNTRACKED
from mirante.frame import FrameResult
from plugins.frame import Frame
from plugins.memory import Memory
from plugins.track.appearance import Embedder
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
        embedder: looks at objects; None where nobody does.

    Raises:
        UnknownNameError: there is no such algorithm.
    """

    def __init__(
        self,
        algorithm: str = "bytetrack",
        options: TrackOptions | None = None,
        memory: Memory | None = None,
        embedder: Embedder | None = None,
    ) -> None:
        made = resolve("tracker", algorithm, ALGORITHMS)
        self._tracker: Tracker = (memory or Memory()).part(PART, made)
        self._tracker.options = options or TrackOptions()
        self._embedder = embedder

    def rest(self, result: FrameResult) -> FrameResult:
        """Pass over a frame that no model looked at: its objects have the numbers that they had."""
        self._tracker.rest(result)
        return result

    def __call__(self, frame: Frame, result: FrameResult) -> FrameResult:
        """Number the objects."""
        began = time.perf_counter()
        count = len(result.detections)
        looks = None if self._embedder is None else self._embedder.of(frame, result)
        if result.damaged:
            ids, still = np.full(count, UNTRACKED), np.zeros(count, np.bool_)
        else:
            ids, still = self._tracker.update(result, looks)
        found = replace(result.detections, track_id=ids, still=still)
        took_ms, timings = (time.perf_counter() - began) * 1e3, result.timings
        if looks is not None:
            took_ms, timings = took_ms - looks.took_ms, summed(timings, looks.timings)
        return replace(result, detections=found, timings={**timings, "track": took_ms})

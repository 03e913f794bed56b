"""The stage that finds a crowd in every frame."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.once.crowd import Crowd
from mirante.detections import Detections
from mirante.frame import FrameResult


class Walkers:
    """Takes the place of what a model found.

    Args:
        begun: file that says at which Unix second the crowd begins; nobody is there before.
        crossings: see ``Crowd``, as for the others.
        are_known: they come with their numbers, which else a tracker has to give them.
    """

    def __init__(
        self, begun: str, crossings: int, rate: float, seen_s: float, are_known: bool = False
    ) -> None:
        self._crowd = Crowd(crossings, rate, seen_s)
        self._file, self._are_known = Path(begun), are_known
        self._begun_s: float | None = None
        self._before: tuple[str, int] | None = None
        self._shift_ns = 0

    def __call__(self, frame: NDArray[np.uint8], result: FrameResult) -> FrameResult:
        """Return the frame with everybody who is there."""
        if self._begun_s is None and self._file.exists():
            self._begun_s = float(self._file.read_text())
        if self._begun_s is None:
            return replace(result, detections=Detections.empty())
        numbers, xyxy = self._crowd.at(self._seen_ns(result) / 1e9 - self._begun_s)
        found = Detections(
            xyxy,
            np.full(len(numbers), 0.9, np.float32),
            np.zeros(len(numbers), np.int32),
            ("person",),
            track_id=numbers + 1 if self._are_known else None,
        )
        return replace(result, detections=found)

    def _seen_ns(self, result: FrameResult) -> int:
        """Return when a frame was captured, Unix ns. People walk on at their pace where the frames
        of a camera that comes back are of another clock, which may be late by seconds.
        """
        late_ns = time.time_ns() - result.captured_ns
        source, late_before_ns = self._before or (result.ts_source, late_ns)
        if source != result.ts_source:
            self._shift_ns += late_ns - late_before_ns
        self._before = (result.ts_source, late_ns)
        return result.captured_ns + self._shift_ns

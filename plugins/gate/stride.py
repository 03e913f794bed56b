"""Passing over frames whose objects move as expected: their boxes are predicted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from plugins.gate.areas import LEAST, near
from plugins.track.outlook import Outlook

LONGEST_S = 0.5  # without a look
KEPT = 0.99  # of the objects that were passed over have to keep their number
_FORGET_S = 60.0  # in which losses are forgotten to a third
_ROOM = 100.0  # objects that count as kept, so that the first loss is one of many
_GOOD, _POOR = 0.8, 0.6  # overlap of the worst prediction: the stride grows, and is one frame
_WAKE_S = 4.0  # for which motion lingers where an object was


class Stride:
    """Decides how many frames in a row are passed over, by how well the last were predicted.

    Args:
        most: frames in a row that may be passed over, 1 or more.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._length = 0  # frames that are passed over now
        self._passed = 0  # since the last look
        self._looked_s = -math.inf
        self._objects = self._lost = 0.0
        self._explained_s: NDArray[np.float64] = np.empty((0, 0))  # for each pixel of the motion

    def looked(self, outlook: Outlook, at_s: float) -> None:
        """Take in what the detector found.

        Args:
            outlook: how the tracker had expected that.
            at_s: when the frame was captured, in seconds.
        """
        forgotten = math.exp(-min(max(0.0, at_s - self._looked_s), 1e6) / _FORGET_S)
        self._objects *= forgotten
        self._lost *= forgotten
        if self._passed:
            self._objects += outlook.objects
            self._lost += outlook.lost
        is_known = outlook.is_steady and outlook.objects > 0
        if not is_known or outlook.overlap < _POOR:
            self._length = 0
        elif outlook.overlap >= _GOOD:
            self._length = min(self._length + 1, self._most)
        self._passed, self._looked_s = 0, at_s

    @property
    def is_safe(self) -> bool:
        """Whether enough of the objects keep their number."""
        return self._lost <= (1 - KEPT) * (self._objects + _ROOM)

    def passes(
        self, moving: NDArray[np.bool_], boxes: Iterable[Sequence[float]], at_s: float
    ) -> bool:
        """Return whether a frame is passed over.

        Args:
            moving: (height, width) bool, what moves in it.
            boxes: left, top, right, bottom in 0..1, where the objects should be by now.
            at_s: when it was captured, in seconds.
        """
        self._explain(moving.shape, boxes, at_s)
        is_early = 0 <= at_s - self._looked_s < LONGEST_S
        if not (self._passed < self._length and is_early and self.is_safe):
            return False
        if _is_seen(moving & (self._explained_s < at_s - _WAKE_S)):
            return False
        self._passed += 1
        return True

    def _explain(
        self, shape: tuple[int, ...], boxes: Iterable[Sequence[float]], at_s: float
    ) -> None:
        """Note where what moves is an object that is known, or what it leaves behind."""
        if self._explained_s.shape != shape:
            self._explained_s = np.full(shape, -math.inf)
        for box in boxes:
            self._explained_s[near(box, shape)] = at_s


def _is_seen(moving: NDArray[np.bool_]) -> bool:
    """Return whether there is a group of moving pixels."""
    plane = moving.view(np.uint8)
    if cv2.countNonZero(plane) < LEAST:
        return False
    areas = cv2.connectedComponentsWithStats(plane, connectivity=8)[2][1:, cv2.CC_STAT_AREA]
    return bool((areas >= LEAST).any())

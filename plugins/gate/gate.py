"""The gate of one camera: whether models look at a frame."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from plugins.gate.areas import Box, areas_of, near
from plugins.gate.motion import Motion, Moved, Thumb
from plugins.track.tracker import Unsettled

STILL = "still"  # nothing moves: the reason of a frame that no model looks at
TRACKED = "tracked"  # objects alone move, as expected: the same
# Why models look at one.
LEARNING = "learning"  # too little was seen before to know what moves
MOTION = "motion"  # something moves, or did a moment ago
TRACK = "track"  # an object is missing, or is not still yet
CHECK = "check"  # it is time to look whether still objects are there
DAMAGED = "damaged"  # motion in an image that was made up is no evidence
FORMAT = "format"  # of the video, which the gate cannot read
ASKED = "asked"  # somebody said that something happens

STILL_S = 10.0
_HOLD_S = 1.0  # after the last motion
_RETRY_S = 1.0  # after a look of which nothing came: its frame failed, or was dropped
_MISSING_S = 1.0  # until what models do not find any more is not there
_STANDS_S = 1.0  # where nothing moves, until an object is known to stand
_CAME_S = 1.0  # before it stood, in which it would have been seen to come


class Gate:
    """Decides frame by frame whether models look.

    Args:
        still_s: seconds after which models look although nothing moves.
    """

    def __init__(self, still_s: float = STILL_S) -> None:
        self._still_s = still_s
        self._motion = Motion()
        self._moved_s = self._looked_s = float("-inf")
        self._moved_at_s: NDArray[np.float64] = np.empty((0, 0))  # for each pixel of the motion

    def decide(
        self,
        thumb: Thumb,
        at_s: float,
        known: Sequence[Sequence[float]] = (),
        is_settled: bool = True,
        is_alone: bool = False,
        seen_s: float | None = None,
        is_asked: bool = False,
    ) -> str:
        """Return why models look at a frame that is not damaged, or ``STILL``: they need not.

        Args:
            thumb: as of ``plugins.gate.motion.thumb_of``.
            at_s: when it was captured, in seconds.
            known: left, top, right, bottom in 0..1 of moving objects in the last frame.
            is_settled: each object that is tracked was in the last frame and is still, or has not
                moved (``explains``).
            is_alone: the frames before it were not decoded, and nothing moves in it.
            seen_s: when the last frame was captured that models have looked at to the end; None if
                that is not known.
            is_asked: somebody said that something happens.
        """
        if is_alone:
            self._motion.follow(thumb, at_s)
            moved = Moved(0)
        else:
            moved = self._motion.see(thumb, at_s, known)
        if self._moved_at_s.shape != thumb.shape:
            self._moved_at_s = np.full(thumb.shape, -np.inf)
        if moved.pixels:
            self._moved_s = at_s
            self._moved_at_s[self._motion.moving] = at_s
        reason = STILL
        if moved.is_learning:
            reason = LEARNING
        elif 0 <= at_s - self._moved_s < _HOLD_S or self._moved_s > self._looked_s:
            reason = MOTION
        elif not is_settled:
            reason = TRACK
        elif not 0 <= at_s - self._looked_s < self._until_check_s(seen_s):
            reason = CHECK
        if is_asked and reason in {STILL, CHECK}:
            reason = ASKED
        return reason

    @property
    def moving(self) -> NDArray[np.bool_]:
        """What moves in the last frame: (height, width)."""
        return self._motion.moving

    def looked(self, at_s: float) -> None:
        """Note that models look at a frame; until then there is still a reason to look.

        Args:
            at_s: when it was captured, in seconds.
        """
        self._looked_s = at_s

    def explains(self, watched: Unsettled, size: tuple[int, int], at_s: float) -> bool:
        """Return whether objects that are not still yet, or missing, have not moved: nothing did
        near them since before they stood there. A model that finds something now and then is no
        reason to look all the time.

        Args:
            watched: the objects.
            size: width and height of the frame.
            at_s: when it was captured, in seconds.
        """
        if not self._moved_at_s.size:
            return False
        boxes = watched.xyxy / (*size, *size)
        for box, since_s, missed_s in zip(boxes.tolist(), *watched[1:], strict=True):
            if missed_s < _MISSING_S if missed_s else at_s - since_s < _STANDS_S:
                return False
            moved_at_s = self._moved_at_s[near(box, self._moved_at_s.shape)]
            if moved_at_s.max(initial=-np.inf) > since_s - _CAME_S:
                return False
        return True

    def areas(self) -> list[Box]:
        """Return where something moves in the last frame: left, top, right, bottom in 0..1."""
        return areas_of(self._motion.moving, self._motion.lasting)

    def _until_check_s(self, seen_s: float | None) -> float:
        """Return after how long a look that was begun is repeated."""
        has_failed = seen_s is not None and seen_s < self._looked_s
        return min(_RETRY_S, self._still_s) if has_failed else self._still_s


class Presence:
    """Tells, for a camera without tracks, whether the last look found all that those before it did.

    Detectors miss things in single frames, and one such look would stand for seconds.
    """

    def __init__(self) -> None:
        self._there: Counter[str] = Counter()
        self._missing_s: float | None = None

    def is_settled(self, labels: Iterable[str], at_s: float) -> bool:
        """Return whether there is no need to look again.

        Args:
            labels: of each object in the last frame that was looked at.
            at_s: when the next one was captured, in seconds.
        """
        found = Counter(labels)
        if not found >= self._there:
            if self._missing_s is None:
                self._missing_s = at_s
            if 0 <= at_s - self._missing_s < _MISSING_S:
                return False
        self._there, self._missing_s = found, None
        return True

"""Gather where tracked objects were, a few times a second: the last minutes, counted anew."""

from __future__ import annotations

from mirante.frame import FrameResult
from mirante.trails import Moment, Trail
from plugins.gate.gate import TRACKED

SPAN_MS = 790  # from the first moment of a trail to its last, at least
MOST_MS = 10_000  # … and at most
PAUSE_MS = 95  # between two moments: at most ten a second
CROWDED_MS = 195  # … of more than FEW objects: at most five
FEW = 10


class Trails:
    """The trails of one line, one after the other. Used by one thread at a time."""

    def __init__(self) -> None:
        self._moments: list[Moment] = []
        self._quiet_ms = range(0)  # in which no moment is taken

    def add(self, result: FrameResult) -> Trail | None:
        """Look at a frame; return a trail that it completes.

        A frame shows nothing if nothing tracks its objects, if the decoder made it up in part, or
        if its objects are only expected there.
        """
        tracks = result.detections.track_id
        if tracks is None or result.damaged or result.skipped == TRACKED:
            return None
        now_ms = result.captured_ns // 1_000_000
        if now_ms in self._quiet_ms:
            return None
        pause_ms = PAUSE_MS if len(tracks) <= FEW else CROWDED_MS
        self._quiet_ms = range(now_ms, now_ms + pause_ms)
        moment = Moment.of(result, tracks)
        first = self._moments[0] if self._moments else moment
        if moment.size == first.size and 0 <= now_ms - first.at_ms < MOST_MS:
            self._moments.append(moment)
            return self.take() if now_ms - first.at_ms >= SPAN_MS else None
        done = self.take()
        self._moments = [moment]
        return done

    def take(self) -> Trail | None:
        """Return what is gathered and not yet in a trail; None without."""
        moments, self._moments = self._moments, []
        return Trail.of(moments) if moments else None

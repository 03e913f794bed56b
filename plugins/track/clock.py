"""The time between frames, by capture time: whatever was dropped between two of them."""

from __future__ import annotations

import time
from typing import NamedTuple

from mirante.frame import FrameResult
from mirante.zones.presence import FORGET_S

_GAP = 2.0  # usual times between two frames: what is more was not watched
_LEARN = 0.1  # of a new time between frames, in the usual one
_LATE_NS = 5_000_000_000  # what is more is another clock's, and no time of arrival
_LOOK_S = 0.1  # in which the first look behind frames that nothing looked at may miss an object
_GROW = 4.0  # times the usual, at most, that a longer one counts in it


class Passed(NamedTuple):
    """The time since the frame before.

    Attributes:
        elapsed_s: for things that move.
        watched_s: of it the time in which an object could have been missed.
        is_lost: so much that nothing is where it was.
        is_usual: about as long as usual between two frames, or as before the last one.
    """

    elapsed_s: float
    watched_s: float
    is_lost: bool = False
    is_usual: bool = True


class Clock:
    """Measures from frame to frame.

    Attributes:
        captured_ns: of the last frame; 0 before the first.
        ts_source: whose clock said so.
        period_s: the usual time between two frames; 0 before the second.
        here_ns: Unix time of this machine at the last frame; 0 where that is unknown.
    """

    def __init__(
        self,
        captured_ns: int = 0,
        ts_source: str = "",
        period_s: float = 0.0,
        here_ns: int = 0,
    ) -> None:
        self.captured_ns = captured_ns
        self.ts_source = ts_source
        self.period_s = period_s
        self.here_ns = here_ns
        self._last_s = 0.0  # before the last frame
        self._is_rested = False  # nothing looked at that

    def tick(self, result: FrameResult, rests: bool = False) -> Passed:
        """Return the time that has passed up to a frame, and measure from there. Nothing was missed
        up to the first look behind frames that rest: nothing looks at these.

        Where another clock is used than before, as by the first frames of a camera that comes back,
        or the clock was set back, it is the time that has passed here, or the usual time if that is
        longer.
        """
        was_rested, self._is_rested = self._is_rested, rests
        before_ns, is_same = self.captured_ns, result.ts_source == self.ts_source
        here_ns, self.here_ns = self.here_ns, self._here_ns(result)
        self.captured_ns, self.ts_source = result.captured_ns, result.ts_source
        if not before_ns:
            return Passed(0.0, 0.0)
        elapsed_s = (result.captured_ns - before_ns) / 1e9
        if elapsed_s < 0 or not is_same:
            here_s = (self.here_ns - here_ns) / 1e9 if here_ns else 0.0
            elapsed_s = max(self.period_s, here_s)
        if elapsed_s > FORGET_S:
            return Passed(elapsed_s, 0.0, True)
        if not self.period_s:
            self.period_s = elapsed_s
        watched_s = min(elapsed_s, _LOOK_S if was_rested else _GAP * self.period_s)
        is_usual = elapsed_s <= _GAP * max(self.period_s, self._last_s)
        self._last_s = elapsed_s
        self.period_s += _LEARN * (min(elapsed_s, _GROW * self.period_s) - self.period_s)
        return Passed(elapsed_s, watched_s, is_usual=is_usual)

    def _here_ns(self, result: FrameResult) -> int:
        """Return the Unix time of this machine at which a frame usually has its results. The first
        frames of a starting worker wait longer, so for them it is reckoned from their arrival.
        """
        now_ns, arrived_ns = time.time_ns(), result.captured_ns
        if result.ts_source != "arrival" or not 0 <= now_ns - arrived_ns < _LATE_NS:
            return now_ns
        return min(now_ns, arrived_ns + int(self.period_s * 1e9))

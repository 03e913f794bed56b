"""Departures of the camera from its lane: each one is told once."""

from __future__ import annotations

import msgspec

HOLD_S = 0.2  # for which the camera has to be out of its lane, or back in one
BACK = 2 / 3  # of the offset at which a departure begins, at which it ends


class Departures(msgspec.Struct, array_like=True):
    """The account of departures.

    One begins when the camera is further from the lane's centre than ``limit`` for ``HOLD_S``, and
    ends when it is back near the centre of a lane, of this one or of the next. Changing lanes, in
    which the offset jumps from one side to the other, is one departure.

    Attributes:
        birth: Unix ms at which the account began; 0 before its first frame.
        count: of departures since then.
        is_out: one goes on.
        since_ns: since when the camera has been where ``is_out`` says it is not; 0 while it is not.
        side: ``left`` or ``right``, on which it was then.
    """

    birth: int = 0
    count: int = 0
    is_out: bool = False
    since_ns: int = 0
    side: str = ""

    def update(self, offset: float, limit: float, at_ns: int) -> str:
        """Take in an offset from the lane's centre; return the side of a departure that begins.

        Args:
            offset: as a share of the lane's width, positive to the right.
            limit: share at which a departure begins.
            at_ns: Unix ns of its frame's capture.
        """
        is_other = abs(offset) <= limit * BACK if self.is_out else abs(offset) >= limit
        if not is_other:
            self.since_ns = 0
            return ""
        if not self.since_ns or at_ns < self.since_ns:
            self.since_ns, self.side = at_ns, "right" if offset > 0 else "left"
        if at_ns - self.since_ns < HOLD_S * 1e9:
            return ""
        self.is_out, self.since_ns = not self.is_out, 0
        if not self.is_out:
            return ""
        self.count += 1
        return self.side

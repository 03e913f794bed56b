"""A limit on frames per second that only drops: it neither invents frames nor moves timestamps."""

from __future__ import annotations


class RateLimit:
    """Admits at most ``fps`` frames a second on the average, judged by their timestamps.

    Of the frames around the moment at which one is due the nearest is admitted, so a camera that
    runs at the limit loses nothing to jitter.
    """

    def __init__(self, fps: float) -> None:
        self._interval_ns = 1e9 / fps
        self._due_ns: float | None = None
        self._last_pts_ns = 0
        self._spacing_ns = 0.0  # between the frames that come, smoothed

    def admits(self, pts_ns: int) -> bool:
        """Return whether the frame with this timestamp passes."""
        spacing_ns, self._last_pts_ns = pts_ns - self._last_pts_ns, pts_ns
        if 0 < spacing_ns <= self._interval_ns:
            self._spacing_ns += (spacing_ns - self._spacing_ns) / 8
        due_ns = self._due_ns
        if due_ns is None or abs(pts_ns - due_ns) > 2 * self._interval_ns:  # a start, or a jump
            due_ns = float(pts_ns)
        if pts_ns < due_ns - self._spacing_ns / 2:
            return False
        self._due_ns = due_ns + self._interval_ns
        return True

"""How long a camera may be silent, from the rate that it has shown."""

from __future__ import annotations

LEAST_S = 3.0
GAPS = 32  # between images; the longest of them counts
SHOWN = 3  # gaps after which the rate is known
FACTOR = 3.0
LONGEST_S = 600.0
STATED_S = 60.0  # a larger step of the camera's own time is no gap but another clock
_NO_TIME = 2**64 - 1


class Rhythm:
    """The gaps between a camera's images in one session, in its own time and in ours.

    The longer of both counts: a server that begins with the images of the last minute sends them
    at once, and a network that hiccups delays them. Written by one thread, read by another.
    """

    def __init__(self) -> None:
        self._gaps_s = [0.0] * GAPS
        self._came = 0
        self._last: tuple[float, int] | None = None

    def came(self, at_s: float, pts: int) -> None:
        """An image came at the monotonic time ``at_s``; its own time is ``pts`` ns, if any."""
        if self._last is not None:
            gap_s, stated_s = at_s - self._last[0], (pts - self._last[1]) / 1e9
            if pts != _NO_TIME and gap_s < stated_s <= STATED_S:
                gap_s = stated_s
            self._gaps_s[self._came % GAPS] = gap_s
            self._came += 1
        self._last = at_s, pts

    @property
    def limit_s(self) -> float | None:
        """Seconds of silence that are no rest between two images; None until the rate is known."""
        if self._came < SHOWN:
            return None
        return min(max(LEAST_S, FACTOR * max(self._gaps_s)), LONGEST_S)

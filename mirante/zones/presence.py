"""Objects in zones: one counts once it has been seen inside, or outside, for long enough.

Seconds of contrary observations are added up and seconds of others taken off, so that a flicker at
the border, a misread class or a frame that shows nothing decides nothing, at any frame rate.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mirante.zones.rules import Zone
from mirante.zones.tracks import At, Tracks

Bools = NDArray[np.bool_]
EPSILON_S = 1e-6
FEW = 3  # frames that an object has to be missing in, at least, for it to be gone
# After which an object that comes again is another one. A worker may take 10 s to be back, and what
# it left is then older by up to a second, and by what the camera takes to send an image.
FORGET_S = 15.0


class Presence:
    """The decision for each object and zone.

    Args:
        zones: the zones' rules.
    """

    def __init__(self, zones: Sequence[Zone]) -> None:
        self._after_s = np.array([zone.after_s for zone in zones])
        self._lost_s = np.array([zone.lost_s for zone in zones])

    def see(self, tracks: Tracks, rows: At, within: Bools, now_ns: int) -> Bools | None:
        """Note where objects were seen; return which of them enter or leave by that: (n, zones);
        None where none does.

        Args:
            tracks: all that is known; ``seen`` is still that of the frame before.
            rows: of the objects.
            within: (n, zones) where they are.
            now_ns: capture time of the frame.
        """
        inside, before = tracks["inside"][rows], tracks["within"][rows]
        level = tracks["level"][rows]
        contrary, was_contrary = within ^ inside, before ^ inside
        if not ((contrary | was_contrary).any() or level.any()):
            return None
        passed_s = (now_ns - tracks["seen"][rows])[:, None] / 1e9
        level += np.where(was_contrary, passed_s, -passed_s)
        np.maximum(level, 0.0, out=level)
        since = tracks["since"][rows]
        since[contrary & ~was_contrary & (level == 0.0)] = now_ns
        limit_s = np.where(inside, self._lost_s, self._after_s)
        turns = contrary & (level >= limit_s - EPSILON_S)
        level[turns] = 0.0
        tracks["level"][rows], tracks["since"][rows] = level, since
        tracks["within"][rows] = within
        tracks["inside"][rows] = inside ^ turns
        return turns if turns.any() else None

    def miss(self, tracks: Tracks, unseen_s: NDArray[np.float64]) -> Bools:
        """Return who is gone from which zone, as it has not been seen for too long: (all, zones).

        Args:
            tracks: all that is known.
            unseen_s: (all,) seconds since each was seen.
        """
        gone: Bools = tracks["inside"] & is_missing(tracks, unseen_s, self._lost_s)
        if gone.any():
            for name in ("inside", "within"):
                tracks[name][gone] = False
            tracks["level"][gone] = 0.0
        return gone


def is_missing(tracks: Tracks, unseen_s: NDArray[np.float64], lost_s: NDArray[np.float64]) -> Bools:
    """Return for which zone or line each track has been unseen for too long: (all, k)."""
    certain = (tracks["missed"] >= FEW) | (unseen_s > FORGET_S)
    return np.asarray((unseen_s[:, None] > lost_s) & certain[:, None])

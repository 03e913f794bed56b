"""Crossings of lines: once for each way over, however the object trembles on it.

An object has a side of each line. Steps over the segment are added up with their direction, and
only when the object is clear of the line (outside its band) on the other side is the side settled
anew, and a crossing counted if the steps add up to one. A step across the line's extension is a way
around its end, and settles the side without a crossing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mirante.zones.areas import Areas
from mirante.zones.presence import EPSILON_S, is_missing
from mirante.zones.rules import Line
from mirante.zones.tracks import At, Rows, Tracks

Bools = NDArray[np.bool_]
Array = NDArray[np.float64]
MOST_FITS = 10


class Crossing:
    """The decision for each object and line.

    Args:
        lines: the lines' rules.
    """

    def __init__(self, lines: Sequence[Line]) -> None:
        self._after_s = np.array([line.after_s for line in lines])
        self._lost_s = np.array([line.lost_s for line in lines])

    def step(
        self, tracks: Tracks, rows: At, new: Rows, anchors: Array, areas: Areas, now_ns: int
    ) -> Bools | None:
        """Note where objects went; return which of them cross which line by that: (n, lines); None
        where none does.

        Args:
            tracks: all that is known; distances and anchors are still those of the frame before.
            rows: of the objects.
            new: indices of those that were not known, whose side is the one that they are on.
            anchors: (n, 2, 2) where they are.
            areas: the lines' geometry.
            now_ns: capture time of the frame.
        """
        distance = areas.distance(anchors)
        is_right = distance >= 0
        before, side = tracks["distance"][rows], tracks["side"][rows]
        if len(new):
            side[new], before[new] = np.where(is_right[new], 1, -1), distance[new]
            tracks["side"][rows] = side
        crossed = tracks["crossed"][rows]
        if not ((is_right != (side > 0)).any() or crossed.any()):  # nor was it before
            tracks["distance"][rows] = distance
            return None
        steps = is_right != (before >= 0)
        if steps.any():
            share = before / np.where(steps, before - distance, 1.0)
            place_before = areas.place(tracks["anchor"][rows])
            place = place_before + (areas.place(anchors) - place_before) * share
            over = areas.lines.on_segment(place)
            crossed += np.where(steps & over, np.where(is_right, 1, -1), 0)
            around = steps & ~over
            side[around], crossed[around] = np.where(is_right, 1, -1)[around], 0
        tracks["distance"][rows] = distance
        far = tracks["far"][rows]
        is_far = is_right != (side > 0)
        far = np.where(is_far, np.where(far == 0, now_ns, far), 0)
        is_clear = np.abs(distance) > areas.band
        settles = is_far & is_clear & ((now_ns - far) / 1e9 >= self._after_s - EPSILON_S)
        counted = settles & (crossed != 0) & (tracks["fits"][rows] >= 0)
        crossed[settles | (is_clear & ~is_far)] = 0
        tracks["side"][rows] = np.where(settles, -side, side)
        tracks["crossed"][rows] = crossed
        tracks["far"][rows] = np.where(settles, 0, far)
        return counted if counted.any() else None

    def miss(self, tracks: Tracks, unseen_s: Array) -> Bools:
        """Return who was last seen on the other side of which line, not clear of it, and has not
        been seen for too long: (all, lines).
        """
        missing = is_missing(tracks, unseen_s, self._lost_s)
        over_s = (tracks["seen"][:, None] - tracks["far"]) / 1e9
        settles = missing & (tracks["far"] != 0) & (over_s >= self._after_s - EPSILON_S)
        counted: Bools = settles & (tracks["crossed"] != 0) & (tracks["fits"] >= 0)
        tracks["side"][settles] *= -1
        for name in ("crossed", "far"):
            tracks[name][settles] = 0
        return counted

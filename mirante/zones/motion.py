"""Speeds of objects and distances, on a ground of which places are known in metres."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mirante.zones.ground import Plane
from mirante.zones.tracks import Rows, Tracks

Array = NDArray[np.float64]
MARK_S = (
    0.5  # between two places that are kept of a track: a box trembles less than it goes by then
)


class Motion:
    """Keeps two places of each track: one of half a second ago or more, and the one after it.

    Args:
        plane: the ground.
        sides: (2,) width and height of the image, the longer one 1.
    """

    def __init__(self, plane: Plane, sides: Array) -> None:
        self._plane, self._sides = plane, sides

    def move(self, tracks: Tracks, rows: Rows, now_ns: int) -> None:
        """Note where objects are now, by the bottom of their boxes."""
        places = self._plane.metres(tracks["anchor"][rows, 0] / self._sides)
        known = np.isfinite(places).all(1)
        rows, places = rows[known], places[known]
        now_s = now_ns / 1e9
        marks = tracks["marks"][rows]
        is_first = marks[:, 1, 0] == 0
        is_due = ~is_first & (now_s - marks[:, 1, 0] >= MARK_S)
        went = np.hypot(*(places - marks[:, 1, 1:]).T)
        tracks["walked"][rows] += np.where(is_due, went, 0.0)
        marks[is_due, 0] = marks[is_due, 1]
        here = np.column_stack([np.full(len(rows), now_s), places])
        fresh = is_first | is_due
        marks[fresh, 1] = here[fresh]
        tracks["marks"][rows] = marks

    def speed_kmh(self, tracks: Tracks, row: int) -> tuple[float, float] | None:
        """Return the speed of a track as last seen, and by how much it may be off; None while that
        is not known.
        """
        point = tracks["anchor"][row : row + 1, 0] / self._sides
        place, off_m = self._plane.metres(point)[0], float(self._plane.error_m(point)[0])
        now_s = tracks["seen"][row] / 1e9
        older, newer = tracks["marks"][row]
        from_ = older if older[0] else newer
        passed_s = float(now_s - from_[0])
        if not from_[0] or passed_s < MARK_S / 2 or not np.isfinite([*place, off_m]).all():
            return None
        metres = float(np.hypot(*(place - from_[1:])))
        return metres / passed_s * 3.6, float(np.sqrt(2)) * off_m / passed_s * 3.6

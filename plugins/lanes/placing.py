"""The rows of an image between which a line can be placed."""

from __future__ import annotations

import numpy as np

from plugins.lanes.road import NEAREST, Fit, Own, deviations
from plugins.lanes.runs import Floats, Ints, Runs

_SURE_PX = 3.0  # deviation of a row up to which it is placed; real errors are a third of these
_MISS_PX = 0.6  # of its plane, by which points of a clean line miss it: more, squared, is less sure
_ROWS = 24  # at which that is looked at
_FITS = 0.3  # weight of a run that is on its line,
_OF_LINE = 0.6  # and the share of such runs in a stroke that is a part of the line
_LOOSE = 0.6  # weight of a run of no stroke that is on its line,
_DENSE = 0.3  # and the share of the rows beyond the last stroke that such runs mark
_MERGED = 4.0  # rows of the plane below the horizon in which lines run into each other


def placed(
    runs: Runs, near: tuple[Ints, Ints], found: Fit, own: Own, height: float
) -> tuple[Floats, Floats]:
    """Return the nearest and the farthest row of each line at which it can be placed, (n,) each.

    On the far side a line ends with its paint; on the near side, where images have gaps between
    dashes and cars end, it goes on as far as it is sure. The rows of one that cannot be placed
    anywhere are both ``height``.

    Args:
        runs: of the frame.
        near: of those on a line, of which line each is and the number of the run, (m,) each.
        found: the road.
        own: its lines.
        height: of the frame.
    """
    below = np.geomspace(NEAREST, height - found.road.h, _ROWS)
    deviation = deviations(own, found, below)
    cell = max(runs.cell, 1.0)
    deviation *= (np.maximum(own.miss / (_MISS_PX * cell), 1.0) ** 2 / cell)[:, None]
    best, at = deviation.argmin(axis=1)[:, None], np.arange(_ROWS)
    unsure = deviation > _SURE_PX
    rows = np.append(below + found.road.h, height)
    rows[-2] = height
    upper = np.where(unsure & (at <= best), at, -1).max(axis=1) + 1
    lower = np.where(unsure & (at > best), at, _ROWS).min(axis=1) - 1
    nowhere = unsure.all(axis=1)
    farthest = np.maximum(_last(runs, near, found, height), rows[upper])
    return np.where(nowhere, height, rows[lower]), np.where(nowhere, height, farthest)


def _last(runs: Runs, near: tuple[Ints, Ints], found: Fit, height: float) -> Floats:
    """Return the farthest row of each line's paint.

    That is of its strokes, and beyond them of short dashes that go on along it. What crosses a line
    far from its strokes is another line's.
    """
    line, which = near
    count, stroke, y = len(found.b), runs.stroke[which], runs.y[which]
    good = (found.weights > _FITS) & (stroke >= 0)
    of_line = np.zeros((count, int(stroke.max(initial=0)) + 1))
    np.add.at(of_line, (line[good], stroke[good]), 1.0)
    size = np.bincount(runs.stroke[runs.stroke >= 0])
    good &= (of_line > _OF_LINE * size[: of_line.shape[1]])[line, stroke]
    last: Floats = np.full(count, height)
    np.minimum.at(last, line[good], y[good])
    loose = np.flatnonzero((found.weights > _LOOSE) & (stroke < 0) & (y < last[line]))
    loose = loose[np.lexsort((-y[loose], line[loose]))]
    of = line[loose]
    marked = 1 + np.arange(len(of)) - np.searchsorted(of, of)
    begins = np.zeros(count)
    np.maximum.at(begins, of, y[loose])
    last = np.where(last == height, np.minimum(height, begins + runs.cell), last)
    dense = marked * runs.cell > _DENSE * (last[of] - y[loose])
    np.minimum.at(last, of[dense], y[loose[dense]])
    return np.maximum(last, found.road.h + NEAREST + _MERGED * runs.cell, out=last)

"""The lines of a road, from the strokes that a segmenter marked in one frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plugins.lanes.placing import placed
from plugins.lanes.road import FREE, NEAREST, Fit, Road, first_guess, fit, own_curves
from plugins.lanes.runs import Floats, Ints, Runs

_FEWEST = 10  # runs of strokes, for there to be a road
_EXPLAINED = 0.5  # of the runs of strokes: otherwise other roads are tried
_BENDS = (800.0, -800.0, 2500.0, -2500.0)  # of these, and fitted so many times again
_AGAIN = 2
_FAR = 7.0  # heights of the camera to a side, beyond which no line is told
_MOST = 10  # lines
_WIDE = 3.0  # times the usual width of paint is no line along the road, but across it, or an arrow
_APART = 2.5  # widths of paint between lines; those nearer are one, as a double line is
_WHOLE = 0.12  # of the rows below the horizon that, when marked, make a line believed
_SHALLOW = 1.3  # times farther than its nearest mark is the farthest of what is no line at all
_CLUTTER = 0.3  # of the runs of strokes are on lines, where these are believed
_LEAST = 0.03  # of the rows below the horizon that a line has marks in
_MIDDLE = 0.65  # of a lane's width: a weak line nearer than that to a strong one is an arrow's
_TURNED = 20.0  # of the bend, from what was expected: strokes far away may be on lines now
_WHOLE_PX = 1.0  # by which runs of whole paint differ in width
_BROAD = 1.2  # times the usual width of paint is that of whole paint


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """The lines of one frame, in units of 1/640 of its width.

    Attributes:
        road: what its lines share.
        curves: (n, 3) a, b, c of each line, from left to right.
        nearest: (n,) the greatest row of each, to which it can be placed.
        farthest: (n,) the least one.
        confidence: (n,) in 0..1.
        explained: share of the runs of strokes that the lines go through.
    """

    road: Road
    curves: Floats
    nearest: Floats
    farthest: Floats
    confidence: Floats
    explained: float


def look(
    runs: Runs,
    size: tuple[float, float],
    expected: Road | None = None,
    deviation: Floats = FREE,
    lane_width: float | None = None,
) -> Seen | None:
    """Return the lines in one frame; None where nothing tells of a road.

    Args:
        runs: of all planes that show lines.
        size: width and height of the frame.
        expected: the road of a frame shortly before.
        deviation: (3,) of it from what is expected.
        lane_width: in heights of the camera, where that is known.
    """
    near = np.flatnonzero(runs.stroke >= 0)
    if len(near) < _FEWEST:
        return None
    seen = None
    points, stroke = (runs.x[near], runs.y[near]), runs.stroke[near]
    if expected is not None:
        start = expected
        for _ in range(1 + _AGAIN):
            found = fit(points, stroke, start, deviation, steps=1)
            seen = _better(seen, _lines(runs, size, found, deviation, lane_width))
            if seen is None or abs(seen.road.c - start.c) < _TURNED:
                break
            start = seen.road
        if seen is not None and seen.explained > _EXPLAINED:
            return seen
    guess = first_guess(points, stroke, size)
    for start in (guess, *(guess._replace(c=c) for c in _BENDS)):
        seen = _better(seen, _lines(runs, size, fit(points, stroke, start), FREE, lane_width))
    for _ in range(_AGAIN):  # dashes beside its lines are on them now
        if seen is not None:
            found = fit(points, stroke, seen.road)
            seen = _better(seen, _lines(runs, size, found, FREE, lane_width))
    return seen


def _better(seen: Seen | None, other: Seen | None) -> Seen | None:
    if seen is None or (other is not None and other.explained > seen.explained):
        return other
    return seen


def _along(runs: Runs, near: Ints, found: Fit, paint: float) -> Ints:
    """Return the numbers of strokes that run along the road and are as wide as paint is."""
    stroke = runs.stroke[near]
    below = found.road.below(runs.y[near])
    count = np.bincount(stroke)
    wide = np.bincount(stroke, runs.width[near] > _WIDE * paint * below + 2.0) / count
    fits = np.bincount(stroke, found.weights) / count
    return np.flatnonzero((wide < 0.2) & (fits > 0.3) & (np.abs(found.b) < _FAR))


def _groups(runs: Runs, near: Ints, found: Fit, paint: float) -> Floats:
    """Return the distance of each line: strokes at the same distance are dashes of one."""
    below = found.road.below(runs.y[near])
    worth = np.bincount(runs.stroke[near], found.weights * below * below)
    along = _along(runs, near, found, paint)
    centres: list[tuple[float, float]] = []
    for each in along[np.argsort(-worth[along])].tolist():
        b, weight = float(found.b[each]), float(worth[each])
        reach = max(_APART * paint, 4.0 / np.sqrt(weight + 1e-9))
        gaps = [abs(centre - b) for centre, _ in centres]
        if not gaps or min(gaps) > reach:
            centres.append((b, weight))
        else:
            at = gaps.index(min(gaps))
            centre, had = centres[at]
            centres[at] = ((centre * had + b * weight) / (had + weight), had + weight)
    return np.array([b for b, _ in centres[: 2 * _MOST]])


def _lines(
    runs: Runs,
    size: tuple[float, float],
    found: Fit,
    deviation: Floats,
    lane_width: float | None,
) -> Seen | None:
    """Tell lines from other strokes, and fit the road again to all runs near them."""
    road = found.road
    strokes = np.flatnonzero(runs.stroke >= 0)
    widths = runs.width[strokes] / road.below(runs.y[strokes])
    paint = float(np.partition(widths, len(widths) // 2)[len(widths) // 2])
    b = _groups(runs, strokes, found, paint)
    if not len(b):
        return None
    line, near = _nearest(runs, road, b, paint)
    rows, depth = _extent(line, runs.y[near], len(b), road, size[1])
    kept = _believed(b, rows, lane_width)
    if not len(kept):
        return None
    place = np.full(len(b), -1)
    place[kept] = np.arange(len(kept))
    line = place[line]
    line, near = line[line >= 0], near[line >= 0]
    points = runs.x[near], runs.y[near]
    worth = _worth(runs.width[near], paint * road.below(points[1]))
    refit = fit(points, line, road, deviation, 5 if deviation is FREE else 2, worth)
    own = own_curves(points, line, refit, worth)
    nearest, farthest = placed(runs, (line, near), refit, own, size[1])
    explained = float(refit.weights[runs.stroke[near] >= 0].sum()) / len(strokes)
    confidence = (1 - np.exp(-rows[kept] / _WHOLE)) / (1 + (own.miss / 3.0) ** 2)
    confidence *= np.clip(depth[kept] - _SHALLOW, 0, 1) * min(1.0, explained / _CLUTTER)
    confidence *= nearest > farthest
    order = np.argsort(own.curves[:, 1])
    ends = nearest[order], farthest[order]
    return Seen(refit.road, own.curves[order], *ends, confidence[order], explained)


def _worth(width: Floats, paint: Floats) -> Floats:
    """Return what runs are worth in a fit: those narrower than paint have lost one of its sides."""
    lost = np.maximum(_BROAD * paint - width - _WHOLE_PX, 0.0)
    return 1.0 / (1.0 + lost * lost / 12.0)  # the variance of a place anywhere in what is lost


def _nearest(runs: Runs, road: Road, b: Floats, paint: float) -> tuple[Ints, Ints]:
    """Return the runs on a line, and of each which line: (line, number of the run)."""
    below = road.below(runs.y)
    distance = road.distances(runs.x, runs.y)
    order = np.argsort(b)
    after = np.searchsorted((b[order][1:] + b[order][:-1]) / 2, distance)
    line = order[after]
    reach = 2.0 + 0.6 * paint * below
    fits = np.abs(distance - b[line]) * below < reach
    fits &= (runs.width < _WIDE * paint * below + 2.0) & (runs.y > road.h + 2.0)
    near = np.flatnonzero(fits)
    return line[near], near


def _extent(line: Ints, y: Floats, count: int, road: Road, height: float) -> tuple[Floats, Floats]:
    """Return of each line the share of the rows below the horizon in which it is marked, and how
    many times farther its farthest mark is than its nearest, (count,) each.
    """
    cells = max(1, round(height))
    row = np.clip(y.astype(np.intp), 0, cells - 1)
    marked = np.zeros((count, cells), np.bool_)
    marked[line, row] = True
    nearest = cells - marked[:, ::-1].argmax(axis=1) - road.h
    farthest = np.maximum(marked.argmax(axis=1) - road.h, NEAREST)
    share: Floats = marked.sum(axis=1) / max(height - road.h, 1.0)
    return share, nearest / farthest


def _believed(b: Floats, rows: Floats, lane_width: float | None) -> Ints:
    """Return the numbers of the lines that are believed, in order of number.

    A weak one between strong ones that are a lane apart is part of an arrow or of letters.
    """
    strong = np.sort(b[rows >= 0.5 * rows.max()])
    if lane_width is None and len(strong) > 1:
        lane_width = float(np.diff(strong).min())
    kept: list[int] = []
    for each in np.argsort(-rows).tolist():
        if rows[each] < _LEAST or len(kept) == _MOST:
            break
        gaps = np.abs(b[kept] - b[each])
        weak = rows[each] < 0.5 * rows.max()
        if lane_width is None or not weak or not (gaps < _MIDDLE * lane_width).any():
            kept.append(each)
    return np.array(sorted(kept), np.intp)

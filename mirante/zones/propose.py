"""Propose a zone where kept tracks show objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mirante.detections import UNTRACKED
from mirante.frame import FrameResult
from mirante.trails import read_trail
from mirante.zones.geometry import Points, Polygons
from mirante.zones.presence import FORGET_S
from mirante.zones.scale import WHOLE, Edges

COLUMNS, ROWS = 48, 27  # cells of the whole image
SHARE = 0.8  # of what was seen, that a zone takes in
FAINT = 0.05  # of the busiest cell: a cell with less is passed over
CORNERS = 8  # at most
_STEPS = ((1, 0), (-1, 0), (0, 1), (0, -1))


@dataclass(frozen=True, slots=True)
class Proposal:
    """An area, and what it is based on.

    Attributes:
        polygon: its corners in 0..1 of the whole image; None where nothing fitting was seen.
        covered_s: seconds of kept tracks that were read, without gaps.
        frames: how many were read.
        labels: tracks that fit, by class.
        inside: of those, how many were in the area at some time.
    """

    polygon: list[tuple[float, float]] | None
    covered_s: float
    frames: int
    labels: dict[str, int]
    inside: int

    @property
    def tracks(self) -> int:
        """How many tracks fit."""
        return sum(self.labels.values())


class Seen:
    """Collects where the tracked objects of trails stood: the middle of their boxes' lower edge.

    Args:
        camera: its name.
        classes: those that count; none: all.
        standing: only objects that stand still, each for as long as it does; else each object
            counts once in each place that it passes.
        area: the part of the whole image that the frames show.
    """

    def __init__(
        self, camera: str, classes: Collection[str], *, standing: bool, area: Edges = WHOLE
    ) -> None:
        self._camera, self._classes, self._standing = camera, frozenset(classes), standing
        self._area = area
        self._points: list[Points] = []
        self._tracks: list[NDArray[np.int64]] = []
        self._names: dict[int, str] = {}
        self._last_ns = 0
        self.frames = 0
        self.covered_s = 0.0

    def take(self, trails: Iterable[bytes]) -> None:
        """Take trails in, in the order of the stream.

        Raises:
            WireError: one cannot be read.
        """
        for data in trails:
            for result in read_trail(data).results(self._camera):
                self._take(result)
                self.frames += 1
                passed_s = (result.captured_ns - self._last_ns) / 1e9
                if 0 <= passed_s <= FORGET_S:
                    self.covered_s += passed_s
                self._last_ns = result.captured_ns

    def _take(self, result: FrameResult) -> None:
        found = result.detections
        if found.track_id is None or not len(found):
            return
        names = np.array(found.labels)[found.class_id]
        fits = found.track_id != UNTRACKED
        if self._classes:
            fits &= np.isin(names, list(self._classes))
        if self._standing:
            fits &= found.still if found.still is not None else False
        left, top, right, bottom = self._area
        x = (found.xyxy[fits, 0] + found.xyxy[fits, 2]) / 2 / result.width
        y = found.xyxy[fits, 3] / result.height
        places = np.stack([left + x * (right - left), top + y * (bottom - top)], 1)
        self._points.append(places.clip(0, 1).astype(np.float64))
        self._tracks.append(found.track_id[fits])
        self._names |= zip(found.track_id[fits].tolist(), names[fits].tolist(), strict=True)

    def propose(self) -> Proposal:
        """Return the smallest connected area that holds most of what was seen, made convex."""
        points = np.concatenate([np.empty((0, 2)), *self._points])
        tracks = np.concatenate([np.empty(0, np.int64), *self._tracks])
        labels = dict(Counter(self._names.values()).most_common())
        if not len(points):
            return Proposal(None, self.covered_s, self.frames, labels, 0)
        polygon = _outline(_busy(self._weights(points, tracks)))
        contained = Polygons([np.array(polygon)]).contain(points)[:, 0]
        inside = len(np.unique(tracks[contained]))
        return Proposal(polygon, self.covered_s, self.frames, labels, inside)

    def _weights(self, points: Points, tracks: NDArray[np.int64]) -> Points:
        """Return how much was seen in each cell, spread over its neighbours: (ROWS, COLUMNS)."""
        cells = np.minimum((points * (COLUMNS, ROWS)).astype(np.intp), (COLUMNS - 1, ROWS - 1))
        rows = np.column_stack([cells[:, 1], cells[:, 0]])
        if not self._standing:
            rows = np.unique(np.column_stack([rows, tracks]), axis=0)[:, :2]
        weights = np.zeros((ROWS, COLUMNS))
        np.add.at(weights, (rows[:, 0], rows[:, 1]), 1)
        wide = np.pad(weights, 1)
        spread = np.lib.stride_tricks.sliding_window_view(wide, (3, 3)).mean((2, 3))
        return np.asarray(spread)


def _busy(weights: Points) -> list[tuple[int, int]]:
    """Return the cells around the busiest, busiest first, until they hold ``SHARE`` of all."""
    peak = np.unravel_index(int(weights.argmax()), weights.shape)
    start = (int(peak[0]), int(peak[1]))
    least, wanted = FAINT * weights[start], SHARE * weights.sum()
    taken: list[tuple[int, int]] = []
    edge, known, held = {start: weights[start]}, {start}, 0.0
    while edge and held < wanted:
        cell = max(edge, key=lambda each: (edge[each], each))
        held += edge.pop(cell)
        taken.append(cell)
        for near in _near(cell):
            if near not in known and weights[near] >= least:
                known.add(near)
                edge[near] = weights[near]
    return taken


def _near(cell: tuple[int, int]) -> Iterator[tuple[int, int]]:
    for down, right in _STEPS:
        row, column = cell[0] + down, cell[1] + right
        if 0 <= row < ROWS and 0 <= column < COLUMNS:
            yield row, column


def _outline(cells: list[tuple[int, int]]) -> list[tuple[float, float]]:
    """Return the convex outline of cells, of few corners, in 0..1."""
    corners = {
        ((column + right) / COLUMNS, (row + down) / ROWS)
        for row, column in cells
        for right in (0, 1)
        for down in (0, 1)
    }
    hull = _hull(sorted(corners))
    while len(hull) > CORNERS:
        hull.pop(min(range(len(hull)), key=lambda at: _lost(hull, at)))
    return [(round(x, 3), round(y, 3)) for x, y in hull]


def _hull(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the convex hull of sorted points (Andrew's monotone chain, 1979)."""
    return _half(points)[:-1] + _half(points[::-1])[:-1]


def _half(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    chain: list[tuple[float, float]] = []
    for point in points:
        while len(chain) > 1 and _turn(chain[-2], chain[-1], point) <= 0:
            chain.pop()
        chain.append(point)
    return chain


def _turn(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _lost(hull: list[tuple[float, float]], at: int) -> float:
    """Return the area, doubled, that a hull loses with one of its corners."""
    return abs(_turn(hull[at - 1], hull[at], hull[(at + 1) % len(hull)]))

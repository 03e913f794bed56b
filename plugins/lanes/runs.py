"""Runs of a plane's rows, chained from row to row into the strokes that they make."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_CROWDED = 2  # runs a row: beyond that single pixels are removed first
_NOISE = 12  # runs a row: beyond that nothing can be told
_WIDEST = 0.2  # of the plane: a stop line, a crossing, a patch of road
_GAP = 2  # pixels missing inside of a run
_REACH = 3  # pixels between runs of neighbouring rows that are still one stroke
_SHORTEST = 4  # rows of a stroke


class Runs(NamedTuple):
    """Runs of marked pixels, n of them.

    Attributes:
        x, y: (n,) of each one's centre.
        width: (n,).
        stroke: (n,) number of the stroke that it is part of, from 0; -1 for none.
        cell: height of a row.
    """

    x: Floats
    y: Floats
    width: Floats
    stroke: Ints
    cell: float = 1.0

    def placed(self, left: float, top: float, across: float, down: float) -> Runs:
        """Return the runs of a plane that begins at a place and has pixels of that size."""
        x, y = left + self.x * across, top + self.y * down
        return Runs(x, y, self.width * across, self.stroke, self.cell * down)

    def scaled(self, unit: float) -> Runs:
        """Return the runs with all lengths times ``unit``."""
        lengths = (self.x * unit, self.y * unit, self.width * unit)
        return Runs(*lengths, self.stroke, self.cell * unit)


NONE = Runs(np.empty(0), np.empty(0), np.empty(0), np.empty(0, np.intp))


def joined(parts: list[Runs]) -> Runs:
    """Return the runs of several masks."""
    if len(parts) < 2:
        return parts[0] if parts else NONE
    strokes, first = [], 0
    for part in parts:
        strokes.append(np.where(part.stroke < 0, -1, part.stroke + first))
        first += int(part.stroke.max(initial=-1)) + 1
    x, y, width = (np.concatenate(each) for each in list(zip(*parts, strict=True))[:3])
    return Runs(x, y, width, np.concatenate(strokes), max(part.cell for part in parts))


def runs_of(planes: NDArray[np.uint8]) -> Runs:
    """Return the runs of all planes, in pixels of a plane.

    Args:
        planes: (c, height, width) uint8, 0 or not; strokes do not leave their plane.
    """
    count, height, width = planes.shape
    start, end = _edges(planes)
    if len(start) > _CROWDED * count * height:
        start, end = _edges(np.stack([cv2.medianBlur(plane, 3) for plane in planes]))
    if len(start) > _NOISE * count * height:
        return NONE
    row = start // (width + 1)
    column = start - row * (width + 1)
    length = end - start
    narrow = length <= max(3.0, _WIDEST * width)
    row, column, length = row[narrow], column[narrow], length[narrow]
    if not len(row):
        return NONE
    plane = row // height if count > 1 else np.zeros_like(row)
    stroke = _strokes(row + plane, column, column + length, width + 1 + 2 * _REACH)
    x = column + length / 2
    return Runs(x, row - plane * height + 0.5, length.astype(np.float64), stroke)


def _edges(planes: NDArray[np.uint8]) -> tuple[Ints, Ints]:
    """Starts and ends of runs in planes whose rows are one pixel longer, which is not marked."""
    count, height, width = planes.shape
    flat = np.zeros(count * height * (width + 1) + 1, np.uint8)
    flat[1:].reshape(count, height, width + 1)[..., :width] = planes
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    start, end = edges[::2], edges[1::2]
    same_row = start[1:] // (width + 1) == end[:-1] // (width + 1)
    apart = ~((start[1:] - end[:-1] <= _GAP) & same_row)
    ones = np.ones(min(len(start), 1), np.bool_)
    return start[np.concatenate([ones, apart])], end[np.concatenate([apart, ones])]


def _strokes(row: Ints, start: Ints, end: Ints, stride: int) -> Ints:
    """Number the strokes: chains of runs that touch exactly one run of the row above and below."""
    n = len(row)
    here = row * stride
    below = here + stride
    first = np.searchsorted(here + end - 1, below + start - _REACH, "left")
    last = np.searchsorted(here + start, below + end - 1 + _REACH, "right")
    upper = np.flatnonzero(last - first == 1)
    lower = first[upper]
    single = np.bincount(lower, minlength=n) == 1
    kept = single[lower]
    root = np.arange(n)
    root[lower[kept]] = upper[kept]
    for _ in range(max(1, int(np.ceil(np.log2(len(np.unique(row)) + 1))))):
        root = root[root]
    rows = np.bincount(root, minlength=n)
    long = rows >= _SHORTEST
    number = np.where(long, np.cumsum(long) - 1, -1)
    numbered: Ints = number[root]
    return numbered

"""Encoding ``polygon``: JSON, per plane a list of outlines ``[x, y, x, y, …]``. Lossy.

Coordinates are whole pixels (their centres). A pixel belongs to the plane when an even-odd fill of
all the plane's outlines covers its centre, or when it lies on an outline. Outlines are traced after
Suzuki and Abe (1985) and thinned after Douglas and Peucker (1973), both by OpenCV, so the border
may be off by ``TOLERANCE_PX``.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from mirante.wire.errors import WireError

TOLERANCE_PX = 1.0

_read = msgspec.json.Decoder(list[list[list[int]]])


def encode(bits: NDArray[np.uint8], width: int) -> bytes:
    """Packs (planes, height, ceil(width / 8)) uint8. Needs OpenCV."""
    import cv2

    planes = np.unpackbits(bits, axis=-1, count=width)
    outlines: list[list[list[int]]] = []
    for plane in planes:
        traced, _ = cv2.findContours(plane, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        thinned = (cv2.approxPolyDP(outline, TOLERANCE_PX, True) for outline in traced)
        outlines.append([outline.reshape(-1).tolist() for outline in thinned])
    return msgspec.json.encode(outlines)


def decode(data: bytes, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """(planes, height, ceil(width / 8)) uint8 for ``shape`` (planes, height, width).

    Raises:
        WireError: the data are no such list, or have other planes or points outside of ``shape``.
    """
    planes, height, width = shape
    try:
        outlines = _read.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise WireError(f"polygon: {error}") from error
    if len(outlines) != planes:
        raise WireError(f"polygon: expected {planes} planes, got {len(outlines)}")
    return np.packbits([_fill(plane, height, width) for plane in outlines], axis=-1)


def _fill(outlines: list[list[int]], height: int, width: int) -> NDArray[np.bool_]:
    start, end = _edges(outlines, height, width)
    span = np.abs(end - start).max(axis=1, initial=0)
    if span.sum() > 4 * height * width + 64:  # no traced plane has so long a border
        raise WireError(f"polygon: outlines of {span.sum()} pixels in {width}x{height}")
    on_outline = np.zeros((height, width), np.bool_)
    x, y = _walk(start, end, span)
    on_outline[np.rint(y).astype(np.intp), np.rint(x).astype(np.intp)] = True

    falling = (start[:, 1] <= end[:, 1])[:, None]
    top, bottom = np.where(falling, start, end), np.where(falling, end, start)
    rows = bottom[:, 1] - top[:, 1]  # a row is crossed when top <= row < bottom
    x, y = _walk(top, bottom, rows, closed=False)
    crossings = np.zeros((height, width + 1), np.int64)
    np.add.at(crossings, (y.astype(np.intp), np.floor(x).astype(np.intp) + 1), 1)
    inside = (np.cumsum(crossings[:, :width], axis=1) & 1).astype(np.bool_)
    return inside | on_outline


def _edges(
    outlines: list[list[int]], height: int, width: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Start and end points (n, 2) of every edge, each outline closed."""
    starts, ends = [np.empty((0, 2), np.int64)], [np.empty((0, 2), np.int64)]
    for outline in outlines:
        if not outline or len(outline) % 2:
            raise WireError(f"polygon: expected x, y, x, y, …, got {len(outline)} numbers")
        if min(outline) < 0 or max(outline[::2]) >= width or max(outline[1::2]) >= height:
            raise WireError(f"polygon: a point outside of {width}x{height}")
        points = np.array(outline, np.int64).reshape(-1, 2)
        starts.append(points)
        ends.append(np.roll(points, -1, axis=0))
    return np.concatenate(starts), np.concatenate(ends)


def _walk(
    start: NDArray[np.int64], end: NDArray[np.int64], steps: NDArray[np.int64], closed: bool = True
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """x, y at each of ``steps`` equal steps along every edge, its end included when ``closed``."""
    counts = steps + 1 if closed else steps
    edge = np.repeat(np.arange(len(start)), counts)
    step = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts)
    part = (step / np.maximum(steps[edge], 1))[:, None]
    points = start[edge].astype(np.float64) + part * (end - start)[edge]
    return points[:, 0], points[:, 1]

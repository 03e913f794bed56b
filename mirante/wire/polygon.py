"""Encoding ``polygon``: JSON, per plane a list of outlines ``[x, y, x, y, …]``. Lossy.

Coordinates are whole pixels (their centres). A pixel belongs to the plane when an even-odd fill of
all the plane's outlines covers its centre, or when it lies on an outline. Outlines are traced after
Suzuki and Abe (1985) and thinned after Douglas and Peucker (1973), both by OpenCV, so the border
may be off by ``TOLERANCE_PX``.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from mirante.wire.bits import BIT
from mirante.wire.errors import UNREADABLE, WireError

TOLERANCE_PX = 1.0
MAX_BORDER_PX = 1 << 22  # of the outlines of a mask's planes
AT_ONCE_PX = 1 << 16

_read = msgspec.json.Decoder(list[list[list[int]]])


def encode(bits: NDArray[np.uint8], width: int) -> bytes:
    """Packs (planes, height, ceil(width / 8)) uint8. Needs OpenCV.

    Raises:
        WireError: the outlines are longer than a reader takes, as those of noise.
    """
    import cv2

    planes = np.unpackbits(bits, axis=-1, count=width)
    outlines: list[list[list[int]]] = []
    for plane in planes:
        traced, _ = cv2.findContours(plane, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        thinned = (cv2.approxPolyDP(outline, TOLERANCE_PX, True) for outline in traced)
        outlines.append([outline.reshape(-1).tolist() for outline in thinned])
    _edges_of_planes(outlines, bits.shape[1], width)
    return msgspec.json.encode(outlines)


def decode(data: bytes, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """(planes, height, ceil(width / 8)) uint8 for ``shape`` (planes, height, width).

    Raises:
        WireError: the data are no such list, or have other planes or points outside of ``shape``.
    """
    planes, height, width = shape
    try:
        outlines = _read.decode(data)
    except UNREADABLE as error:
        raise WireError(f"polygon: {error}") from error
    if len(outlines) != planes:
        raise WireError(f"polygon: expected {planes} planes, got {len(outlines)}")
    edges = _edges_of_planes(outlines, height, width)
    bits = np.zeros((planes, height, (width + 7) // 8), np.uint8)
    for plane, (start, end) in zip(bits, edges, strict=True):
        _fill(plane, start, end, width)
    return bits


def _fill(
    bits: NDArray[np.uint8], start: NDArray[np.int64], end: NDArray[np.int64], width: int
) -> None:
    """Set the packed bits (height, ceil(width / 8)) of a plane that are 1, of one that is 0.

    Args:
        bits: of the plane; unpacked it would take eight times the memory.
        start, end: points (n, 2) of every edge.
        width: pixels per row.
    """
    stride, flat = bits.shape[1], bits.reshape(-1)
    falling = (start[:, 1] <= end[:, 1])[:, None]
    top, bottom = np.where(falling, start, end), np.where(falling, end, start)
    rows = bottom[:, 1] - top[:, 1]  # a row is crossed when top <= row < bottom
    for x, y in _walk(top, bottom, rows, closed=False):
        behind = np.floor(x).astype(np.intp) + 1  # the first pixel behind the crossing
        inside = behind < width
        place = y[inside].astype(np.intp) * stride + behind[inside] // 8
        np.bitwise_xor.at(flat, place, BIT[behind[inside] % 8])
    _spread(bits)
    for x, y in _walk(start, end, _span(start, end)):
        column = np.rint(x).astype(np.intp)
        place = np.rint(y).astype(np.intp) * stride + column // 8
        np.bitwise_or.at(flat, place, BIT[column % 8])
    bits[:, -1] &= np.uint8(0xFF << (-width % 8) & 0xFF)


def _spread(bits: NDArray[np.uint8]) -> None:
    """Make each bit of a row the parity of itself and all to its left."""
    for places in (1, 2, 4):
        bits ^= bits >> places
    odd = np.bitwise_xor.accumulate(bits & 1, axis=1)  # up to and with each byte
    bits[:, 1:] ^= odd[:, :-1] * np.uint8(0xFF)


def _span(start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the pixels (n,) int64 of every edge, but for its first."""
    longest: NDArray[np.int64] = np.abs(end - start).max(axis=1, initial=0)
    return longest


def _edges_of_planes(
    outlines: list[list[list[int]]], height: int, width: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    edges = [_edges(plane, height, width) for plane in outlines]
    border = [int(_span(start, end).sum()) for start, end in edges]
    # No traced plane has more than 4 pixels of border for each of its own.
    if max(border) > 4 * height * width + 64 or sum(border) > MAX_BORDER_PX:
        raise WireError(f"polygon: outlines of {sum(border)} pixels in {width}x{height}")
    return edges


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
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Yield x, y at each of ``steps`` equal steps along every edge, its end included when
    ``closed``; those of some edges at a time, about ``AT_ONCE_PX``.
    """
    counts = steps + 1 if closed else steps
    done, way = np.cumsum(counts), end - start
    first = 0
    while first < len(start):
        before = int(done[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(done, before + AT_ONCE_PX, "right")))
        some = slice(first, last)
        edge = np.repeat(np.arange(first, last), counts[some])
        step = np.arange(len(edge)) - (done[edge] - counts[edge] - before)
        part = (step / np.maximum(steps[edge], 1))[:, None]
        points = start[edge].astype(np.float64) + part * way[edge]
        yield points[:, 0], points[:, 1]
        first = last

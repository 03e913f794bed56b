"""Encoding ``rle``: a JSON list of one COCO run-length object a plane.

Each is ``{"size": [height, width], "counts": "…"}`` as pycocotools reads and writes it: lengths of
alternating runs of 0 and 1 down the columns, as differences to the run two before, in groups of
five bits, printable. https://github.com/cocodataset/cocoapi, common/maskApi.c.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from mirante.wire.bits import BIT
from mirante.wire.errors import UNREADABLE, WireError

_GROUPS = 7  # five bits each; runs and their differences stay below 2^34


class _Rle(msgspec.Struct, frozen=True):
    size: tuple[int, int]
    counts: str


_read = msgspec.json.Decoder(list[_Rle])


def encode(bits: NDArray[np.uint8], width: int) -> bytes:
    """Packs (planes, height, ceil(width / 8)) uint8."""
    planes = np.unpackbits(bits, axis=-1, count=width)
    size = (bits.shape[1], width)
    return msgspec.json.encode([_Rle(size, pack(_runs(plane))) for plane in planes])


def decode(data: bytes, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """(planes, height, ceil(width / 8)) uint8 for ``shape`` (planes, height, width).

    Raises:
        WireError: the data are no such list, or not of the size that ``shape`` states.
    """
    planes, height, width = shape
    try:
        parts = _read.decode(data)
    except UNREADABLE as error:
        raise WireError(f"rle: {error}") from error
    if [part.size for part in parts] != [(height, width)] * planes:
        raise WireError(
            f"rle: expected {planes} planes of size [{height}, {width}], "
            f"got {[list(part.size) for part in parts[:3]]}"
        )
    bits = np.zeros((planes, height, (width + 7) // 8), np.uint8)
    for plane, part in zip(bits, parts, strict=True):
        _fill(plane, unpack(part.counts), width)
    return bits


def pack(runs: NDArray[np.int64]) -> str:
    """Run lengths (n,) int64 as COCO's string."""
    values = runs.copy()
    values[3:] -= runs[1:-2]
    groups = np.empty((len(values), _GROUPS), np.uint8)
    needed = np.empty((len(values), _GROUPS), np.bool_)
    more = np.ones(len(values), np.bool_)
    for i in range(_GROUPS):
        needed[:, i] = more
        low = values & 0x1F
        values >>= 5
        more = more & np.where(low & 0x10, values != -1, values != 0)
        groups[:, i] = (low | (more << 5)) + 48
    return groups[needed].tobytes().decode("ascii")


def unpack(text: str) -> NDArray[np.int64]:
    """COCO's string as run lengths (n,) int64.

    Raises:
        WireError: the string is cut short, or holds other characters or negative runs.
    """
    codes = np.frombuffer(text.encode("utf-8"), np.uint8).astype(np.int64) - 48
    if codes.size == 0 or codes.min() < 0 or codes.max() > 63 or codes[-1] & 0x20:
        raise WireError("rle: counts are empty, cut short, or hold characters outside '0'..'o'")
    last = (codes & 0x20) == 0
    starts = np.concatenate([[0], np.flatnonzero(last)[:-1] + 1])
    place = np.arange(len(codes)) - np.repeat(starts, np.diff(np.append(starts, len(codes))))
    if place.max() >= _GROUPS:
        raise WireError(f"rle: a count of more than {_GROUPS} characters")
    values = np.add.reduceat((codes & 0x1F) << (5 * place), starts)
    negative = (codes[last] & 0x10) != 0
    values -= np.where(negative, np.int64(1) << (5 * (place[last] + 1)), 0)
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    if values.min() < 0:
        raise WireError(f"rle: expected runs of 0 or more, got {values.min()}")
    return values


def _runs(plane: NDArray[np.uint8]) -> NDArray[np.int64]:
    column_major = plane.T.reshape(-1)
    edges = np.flatnonzero(np.diff(column_major)) + 1
    bounds = np.concatenate([[0], edges, [column_major.size]])
    runs = np.diff(bounds).astype(np.int64)
    return np.concatenate([[0], runs]) if column_major[0] else runs


def _fill(bits: NDArray[np.uint8], runs: NDArray[np.int64], width: int) -> None:
    """Set the packed bits (height, ceil(width / 8)) of a plane that are 1, of one that is 0.

    Each bit first says that its pixel differs from the one above: unpacked, a plane would take
    eight times the memory.
    """
    height = len(bits)
    if runs.max() > height * width or runs.sum() != height * width:
        raise WireError(f"rle: expected runs that sum to {height * width}, got {runs.sum()}")
    changes = np.cumsum(runs)[:-1]  # places, down the columns, of pixels unlike the one before
    changes = changes[changes < height * width]
    column, row = np.divmod(changes, height)
    np.bitwise_xor.at(bits.reshape(-1), row * bits.shape[1] + column // 8, BIT[column % 8])
    before = np.searchsorted(changes, np.arange(width) * height)  # changes in earlier columns
    bits[0] ^= np.packbits(before & 1)
    np.bitwise_xor.accumulate(bits, axis=0, out=bits)

"""Fragmented MP4 (ISO/IEC 14496-12), as far as a file that breaks off must be read to be mended."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

_CODECS = {
    b"avc1": "h264", b"avc3": "h264", b"hvc1": "h265", b"hev1": "h265", b"av01": "av1",
    b"vp09": "vp9",
}  # fmt: skip
_PARENTS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf"}
_MOST_HEADER = 4 << 20  # bytes of a moov or moof
_OFFSET, _FIRST_FLAGS = 0x1, 0x4
_SAMPLE = {0x100: "duration", 0x200: "size", 0x400: "flags", 0x800: "offset"}


class Fragments(NamedTuple):
    """The whole fragments of a file.

    Attributes:
        end: bytes up to the end of the last.
        frames: in them.
        seconds: that they last.
        codec: as ``mirante.clips.Clip``.
        size: width, height.
    """

    end: int
    frames: int
    seconds: float
    codec: str
    size: tuple[int, int]


def whole_fragments(path: Path) -> Fragments:
    """Read a file of one video.

    Raises:
        OSError: it cannot be read.
        ValueError: it holds no whole fragment.
    """
    end, frames, ticks = 0, 0, 0
    head: tuple[int, str, tuple[int, int]] | None = None
    with path.open("rb") as file:
        length = os.fstat(file.fileno()).st_size
        came: tuple[int, int] = (0, 0)
        for kind, start, size in _boxes(file, length):
            if kind == b"moov":
                head = _head(_read(file, start, size))
            elif kind == b"moof":
                came = _fragment(_read(file, start, size))
            elif kind == b"mdat" and head is not None:
                end, frames, ticks = start + size, frames + came[0], ticks + came[1]
    if head is None or not frames:
        raise ValueError(f"{path}: no whole fragment of a video")
    scale, codec, shape = head
    return Fragments(end, frames, ticks / scale, codec, shape)


def _boxes(file: BinaryIO, length: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind, place and size of each whole box of a file."""
    start = 0
    while start + 8 <= length:
        file.seek(start)
        size, kind = struct.unpack(">I4s", file.read(8))
        if size < 8 or start + size > length:
            return
        yield kind, start, size
        start += size


def _read(file: BinaryIO, start: int, size: int) -> bytes:
    if size > _MOST_HEADER:
        raise ValueError(f"expected a box of up to {_MOST_HEADER} bytes, got {size}")
    file.seek(start)
    return file.read(size)


def _inside(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the kind and content of each box inside one that holds others, and inside those."""
    start = 8
    while start + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, start)
        if size < 8 or start + size > len(data):
            raise ValueError("a box is longer than that around it")
        box = data[start : start + size]
        yield kind, box[8:]
        if kind in _PARENTS:
            yield from _inside(box)
        start += size


def _head(moov: bytes) -> tuple[int, str, tuple[int, int]]:
    """Return ticks per second, codec and size of the video."""
    scale, codec, size = 0, "", (0, 0)
    for kind, data in _inside(moov):
        if kind == b"mdhd":
            (scale,) = struct.unpack_from(">I", data, 20 if data[0] else 12)
        elif kind == b"stsd":
            codec = _CODECS.get(data[12:16], "")
            size = struct.unpack_from(">HH", data, 40)
    if not (scale and codec and all(size)):
        raise ValueError("expected a video in a codec that is known")
    return scale, codec, size


def _fragment(moof: bytes) -> tuple[int, int]:
    """Return the number of samples of a fragment, and the ticks that they last."""
    samples, ticks, default = 0, 0, 0
    for kind, data in _inside(moof):
        if kind == b"tfhd":
            default = _default_duration(data)
        elif kind == b"trun":
            count, lasts = _run(data, default)
            samples, ticks = samples + count, ticks + lasts
    return samples, ticks


def _default_duration(tfhd: bytes) -> int:
    (flags,) = struct.unpack_from(">I", tfhd)
    place = 8 + 8 * bool(flags & 0x1) + 4 * bool(flags & 0x2)
    return int(struct.unpack_from(">I", tfhd, place)[0]) if flags & 0x8 else 0


def _run(trun: bytes, default: int) -> tuple[int, int]:
    flags, count = struct.unpack_from(">II", trun)
    place = 8 + 4 * bool(flags & _OFFSET) + 4 * bool(flags & _FIRST_FLAGS)
    fields = [bit for bit in _SAMPLE if flags & bit]
    if not flags & 0x100:
        return count, count * default
    step = 4 * len(fields)
    if place + count * step > len(trun):
        raise ValueError("a run of samples breaks off")
    return count, sum(struct.unpack_from(">I", trun, place + i * step)[0] for i in range(count))

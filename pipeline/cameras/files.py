"""Find what is missing from a video file, and say it at the end of the file."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mirante.faults import FaultCode
from pipeline.cameras.state import End, Fault

_MATROSKA = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"
_MOVIE, _DATA = b"moov", b"mdat"
_FIRST_BOXES = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp"}


def missing(path: Path) -> str:
    """Return what is missing of a file, in words; "" if nothing is, or nobody can tell.

    Read are the sizes that a file's outermost parts state: the boxes of MP4 and QuickTime (ISO/IEC
    14496-12, 4.2), the chunk of AVI (RIFF), the segment of Matroska and WebM (RFC 8794).
    """
    try:
        with path.open("rb") as file:
            return _missing(file, os.fstat(file.fileno()).st_size)
    except OSError:
        return ""  # the fault itself says why


def _missing(file: BinaryIO, size: int) -> str:
    head = file.read(64)
    if head[4:8] in _FIRST_BOXES:
        return _missing_of_boxes(list(_boxes(file, size)), size)
    stated = 0
    if head[:4] == b"RIFF" and len(head) >= 8:
        stated = 8 + int.from_bytes(head[4:8], "little")
    elif head[:4] == _MATROSKA:
        stated = _segment_end(head)
    return _fewer(stated - size, stated) if stated > size else ""


def _missing_of_boxes(boxes: list[tuple[bytes, int]], size: int) -> str:
    end = max((end for _, end in boxes), default=0)
    kinds = {kind for kind, _ in boxes}
    if _MOVIE not in kinds:
        return "its index (moov) is missing: it was not written to its end, or is cut"
    if end > size:
        return _fewer(end - size, end)
    return "its data (mdat) is missing" if _DATA not in kinds else ""


def _fewer(bytes_: int, of: int) -> str:
    return f"{bytes_:,} of its {of:,} bytes are missing"


def _boxes(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int]]:
    """Yield the kind of each outermost box of an MP4, and the offset at which it ends."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        head = file.read(16)
        length, kind = struct.unpack_from(">I4s", head)
        if length == 1 and len(head) == 16:
            length = int.from_bytes(head[8:], "big")
        elif length == 0:  # up to the end of the file
            length = size - at
        if length < 8:
            return
        at += length
        yield kind, at


def _segment_end(head: bytes) -> int:
    """Return the offset at which a Matroska file's segment ends; 0 where it states none."""
    at = 4
    _, length, width = _number(head, at)
    at += width + length
    if head[at : at + 4] != _SEGMENT:
        return 0
    unknown, length, width = _number(head, at + 4)
    return 0 if unknown else at + 4 + width + length


def _number(data: bytes, at: int) -> tuple[bool, int, int]:
    """Return whether a variable-size integer is the one for "unknown", its value and its width."""
    first = data[at] if at < len(data) else 0
    width = 9 - first.bit_length()
    mask = (1 << 7 * width) - 1
    value = int.from_bytes(data[at : at + width].ljust(width, b"\0"), "big") & mask
    return value == mask, value, width


def end_of(path: Path | None, frames: int) -> Fault:
    """Return how the end of a file is told: an ``End``, or a fault where it had no frame.

    Args:
        path: of the file; None where it lies elsewhere.
        frames: read of it.
    """
    lacks = missing(path) if path is not None else ""
    if not frames:
        return Fault(FaultCode.UNREADABLE, f"not a readable video: {lacks or 'it has no frame'}")
    if lacks:
        return End(FaultCode.FILE_CUT, f"end of a file that is cut: {lacks}; {frames} frames read")
    return End(FaultCode.END_OF_FILE, FaultCode.END_OF_FILE.words)


def broken_at(path: Path | None, frames: int, fault: Fault) -> Fault:
    """Return how an error while a file is read is told: it will not mend itself.

    A file that is cut ends where it is cut, whatever a demuxer calls that.
    """
    if fault.code not in {FaultCode.OTHER, FaultCode.UNREADABLE}:
        return fault
    lacks = missing(path) if path is not None else ""
    if lacks and frames:
        return end_of(path, frames)
    words = fault.reason.removeprefix("not a readable video: ")
    if frames:
        words = f"{words.rstrip('.')}; {frames} frames were read"
    return Fault(FaultCode.UNREADABLE, f"not a readable video: {lacks or words}")

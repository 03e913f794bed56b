"""Answers of the bytes of a clip that is no plain file: one that grows, one in a bucket."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import msgspec
from fastapi import HTTPException
from fastapi.responses import StreamingResponse

from dashboard.live.bundle import as_bits
from mirante.wire.messages import MasksMessage
from pipeline.control.clip_store import BLOCK, Kept

LOOK_S = 0.2
SILENT_S = 30.0  # a draft that does not grow for so long is read no further


class _Frame(msgspec.Struct, omit_defaults=True):
    """A frame in a sidecar; planes are base64 there."""

    detections: msgspec.Raw
    masks: MasksMessage | None = None
    planes: dict[str, bytes] = {}


_read_frame = msgspec.json.Decoder(_Frame)


def growing(path: Path) -> StreamingResponse:
    """Answer a file from its beginning, and what is written to it until it is moved away.

    Raises:
        FileNotFoundError: it is moved away already.
    """
    file = path.open("rb")  # not in the iterator: the answer would have begun
    return StreamingResponse(
        _followed(path, file), media_type="video/mp4", headers={"Cache-Control": "no-store"}
    )


def _followed(path: Path, file: BinaryIO) -> Iterator[bytes]:
    with file:
        grown_s = time.monotonic()
        while time.monotonic() - grown_s < SILENT_S:
            is_whole = not path.exists()  # asked before reading, or the last bytes were missed
            if data := file.read(BLOCK):
                grown_s = time.monotonic()
                yield data
            elif is_whole:
                return
            else:
                time.sleep(LOOK_S)


def ranged(
    kept: Kept, asked: str | None, media: str, headers: Mapping[str, str]
) -> StreamingResponse:
    """Answer an object, or the one range of it that is asked for (RFC 9110, 14).

    Raises:
        HTTPException: 416, it ends before that.
    """
    first, last = 0, kept.size - 1
    if found := re.fullmatch(r"bytes=(\d*)-(\d*)", asked or "", re.ASCII):
        first, last = _span(found[1], found[2], kept.size)
    else:
        asked = None
    told = {**headers, "Accept-Ranges": "bytes", "Content-Length": str(last - first + 1)}
    if asked is not None:
        told["Content-Range"] = f"bytes {first}-{last}/{kept.size}"
    body = kept.read(first, last + 1)
    return StreamingResponse(body, 206 if asked is not None else 200, told, media)


def _span(first: str, last: str, size: int) -> tuple[int, int]:
    """The first and the last byte of a range; of ``-N`` the last N."""
    if first:
        begin, end = int(first), min(int(last) if last else size, size - 1)
    else:
        begin, end = max(0, size - int(last or 0)), size - 1
    if begin > end:
        raise HTTPException(
            416, f"the file has {size} bytes", headers={"Content-Range": f"bytes */{size}"}
        )
    return begin, end


def masks_as_bits(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the lines of a sidecar, each a frame, with all masks in the encoding ``bits``.

    Raises:
        WireError, msgspec.MsgspecError: the masks are not as the wire format says.
    """
    for line in _lines(blocks):
        is_frame = line.startswith(b'{"detections":') and b'"masks":' in line
        yield _with_bits(line) if is_frame else line


def _lines(blocks: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for block in blocks:
        *whole, rest = (rest + block).split(b"\n")
        yield from (line + b"\n" for line in whole)
    yield rest


def _with_bits(line: bytes) -> bytes:
    end = b",\n" if line.endswith(b",\n") else b"\n"
    frame = _read_frame.decode(line.removesuffix(end))
    if frame.masks is None:
        return line
    drawn = [as_bits(part, frame.planes[part.field]) for part in frame.masks.masks]
    frame.masks = msgspec.structs.replace(frame.masks, masks=[part for part, _ in drawn])
    frame.planes = {part.field: planes for part, planes in drawn}
    return msgspec.json.encode(frame) + end

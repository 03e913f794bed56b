"""Answers of the bytes of a clip that is no plain file: one that grows, one in a bucket."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from fastapi import HTTPException
from fastapi.responses import StreamingResponse

from pipeline.control.clip_store import BLOCK, Kept

LOOK_S = 0.2
SILENT_S = 30.0  # a draft that does not grow for so long is read no further


def growing(path: Path) -> StreamingResponse:
    """Answer a file from its beginning, and what is written to it until it is moved away."""
    return StreamingResponse(
        _followed(path), media_type="video/mp4", headers={"Cache-Control": "no-store"}
    )


def _followed(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
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

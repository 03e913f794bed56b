"""Encoding ``png``: the planes stacked from top to bottom in one 1-bit greyscale PNG, 1 = white.

Written and read here because a consumer needs no image library. W3C PNG specification, third
edition, https://www.w3.org/TR/png-3/.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from mirante.wire.bits import inflate
from mirante.wire.errors import WireError

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_NONE, _UP = (
    0,
    2,
)  # row filters; the others need the pixel to the left, which a 1-bit row packs away


def encode(bits: NDArray[np.uint8], width: int) -> bytes:
    """Packs (planes, height, ceil(width / 8)) uint8."""
    rows = bits.reshape(-1, bits.shape[2])
    filtered = np.zeros((len(rows), rows.shape[1] + 1), np.uint8)
    filtered[:, 1:] = rows
    header = struct.pack(">IIBBBBB", width, len(rows), 1, 0, 0, 0, 0)
    body = zlib.compress(filtered.tobytes(), 6)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def decode(data: bytes, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """(planes, height, ceil(width / 8)) uint8 for ``shape`` (planes, height, width).

    Raises:
        WireError: no PNG, a damaged one, or not 1-bit greyscale of the size that ``shape`` states.
    """
    planes, height, width = shape
    header, body = _parse(data)
    expected = (width, planes * height, 1, 0, 0, 0, 0)
    if len(header) != 13 or struct.unpack(">IIBBBBB", header) != expected:
        raise WireError(
            f"PNG: expected {width}x{planes * height}, 1-bit greyscale, not interlaced; "
            f"got header {header.hex()}"
        )
    stride = (width + 7) // 8
    raw = np.frombuffer(inflate(body, planes * height * (stride + 1)), np.uint8)
    filters, rows = np.split(raw.reshape(planes * height, stride + 1), [1], axis=1)
    if filters.any():
        raise WireError(f"PNG: expected rows without filter (0), got {filters.max()}")
    out = rows.copy()
    out[:, -1] &= np.uint8(0xFF << (-width % 8) & 0xFF)
    return out.reshape(planes, height, stride)


def _chunk(name: bytes, body: bytes) -> bytes:
    crc = zlib.crc32(name + body)
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", crc)


def _parse(data: bytes) -> tuple[bytes, bytes]:
    """The header and the joined image data."""
    if not data.startswith(_SIGNATURE):
        raise WireError(f"PNG: expected the PNG signature, got {data[:8].hex()}")
    header, body, at = b"", [], len(_SIGNATURE)
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        name, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        crc = data[at + 8 + length : at + 12 + length]
        if crc != struct.pack(">I", zlib.crc32(name + content)):
            raise WireError(f"PNG: damaged or cut short in chunk {name!r}")
        if name == b"IHDR":
            header = content
        elif name == b"IDAT":
            body.append(content)
        elif name == b"IEND":
            return header, b"".join(body)
        at += 12 + length
    raise WireError("PNG: cut short, no IEND")

"""Masks to bytes and back, by the name of the encoding."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from mirante.mask import Mask
from mirante.wire import bits, png, polygon, rle
from mirante.wire.errors import WireError
from mirante.wire.messages import MaskEncoding, MaskPart

MAX_PLANES = 256
MAX_SIDE_PX = 16_384
MAX_PLANE_BYTES = 64 << 20  # all packed planes of a message together

_Encode = Callable[[NDArray[np.uint8], int], bytes]
_Decode = Callable[[bytes, tuple[int, int, int]], NDArray[np.uint8]]

ENCODINGS: dict[str, tuple[_Encode, _Decode]] = {
    "bits": (bits.encode, bits.decode),
    "rle": (rle.encode, rle.decode),
    "png": (png.encode, png.decode),
    "polygon": (polygon.encode, polygon.decode),
}


def encode_mask(mask: Mask, index: int, encoding: MaskEncoding) -> tuple[MaskPart, bytes]:
    """A mask's description and its bytes, which belong into the field ``m<index>``.

    Raises:
        WireError: no such encoding, or the mask is larger than a reader takes.
    """
    if encoding not in ENCODINGS:
        raise WireError(f"encoding: expected one of {', '.join(ENCODINGS)}, got {encoding!r}")
    left, top, right, bottom = mask.xyxy
    if not all(map(math.isfinite, mask.xyxy)):
        raise WireError(f"mask {index}: expected a finite region, got {mask.xyxy}")
    part = MaskPart(
        field=f"m{index}",
        labels=list(mask.labels),
        size=(mask.width, mask.height),
        bbox=(round(left, 2), round(top, 2), round(right - left, 2), round(bottom - top, 2)),
        encoding=encoding,
        model=mask.model,
        object=mask.object_index,
    )
    _shape(part)
    return part, ENCODINGS[encoding][0](mask.bits, mask.width)


def decode_mask(part: MaskPart, data: bytes) -> Mask:
    """The mask of a description and its bytes.

    Raises:
        WireError: the bytes are not what the description says, or it says too much.
    """
    planes = ENCODINGS[part.encoding][1](data, _shape(part))
    x, y, width, height = part.bbox
    xyxy = (x, y, x + width, y + height)
    return Mask(tuple(part.labels), planes, part.size[0], xyxy, part.model, part.object)


def check_parts(parts: Sequence[MaskPart]) -> None:
    """Hold the masks of a message to what a reader is willing to allocate.

    Raises:
        WireError: a mask has too many planes or pixels, all together take too many bytes, or two
            are in one field.
    """
    total = sum(math.prod(_shape(part)[:2]) * ((part.size[0] + 7) // 8) for part in parts)
    if total > MAX_PLANE_BYTES:
        raise WireError(
            f"masks: {len(parts)} masks with planes of {total >> 20} MiB are over 64 MiB"
        )
    if len({part.field for part in parts}) < len(parts):
        raise WireError("masks: expected a field of its own for each mask")


def _shape(part: MaskPart) -> tuple[int, int, int]:
    """(planes, height, width), held to what a reader is willing to allocate."""
    width, height = part.size
    planes = len(part.labels)
    if not 1 <= planes <= MAX_PLANES:
        raise WireError(f"{part.field}: expected 1 to {MAX_PLANES} planes, got {planes}")
    if max(width, height) > MAX_SIDE_PX:
        raise WireError(f"{part.field}: expected sides up to {MAX_SIDE_PX}, got {width}x{height}")
    if planes * height * ((width + 7) // 8) > MAX_PLANE_BYTES:
        raise WireError(f"{part.field}: {planes} planes of {width}x{height} are over 64 MiB")
    return planes, height, width

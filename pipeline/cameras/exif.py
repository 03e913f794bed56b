"""The orientation in the Exif data of a JPEG, which GStreamer's decoder passes over.

Source: CIPA DC-008, Exif 2.32, 4.5.4 and 4.6.4.
"""

from __future__ import annotations

import struct

HEAD_BYTES = 4096  # of an image, in which its orientation stands if it has one
_TAG = 0x0112
# Value of the tag, from 1 → GStreamer's tag image-orientation.
_ORIENTATIONS = (
    "rotate-0",
    "flip-rotate-0",
    "rotate-180",
    "flip-rotate-180",
    "flip-rotate-270",
    "rotate-90",
    "flip-rotate-90",
    "rotate-270",
)


def orientation_of(head: bytes) -> str | None:
    """Return GStreamer's name of an image's orientation; None where its data do not say one.

    Args:
        head: the beginning of a JPEG, which may be damaged.
    """
    try:
        value = _value(_exif(head))
    except (struct.error, IndexError):
        return None
    return _ORIENTATIONS[value - 1] if 1 <= value <= len(_ORIENTATIONS) else None


def is_jpeg(head: bytes) -> bool:
    """Return whether an image begins here, rather than continuing."""
    return head[:3] == b"\xff\xd8\xff"


def _exif(head: bytes) -> bytes:
    """The TIFF data among the application segments, empty without."""
    at = 2
    while head[at] == 0xFF and 0xE0 <= head[at + 1] <= 0xEF:
        (length,) = struct.unpack_from(">H", head, at + 2)
        if head[at + 1] == 0xE1 and head[at + 4 : at + 10] == b"Exif\0\0":
            return head[at + 10 : at + 2 + length]
        at += 2 + length
    return b""


def _value(tiff: bytes) -> int:
    """The tag's value in the first directory, 0 without."""
    order = {b"MM": ">", b"II": "<"}.get(tiff[:2])
    if order is None:
        return 0
    (start,) = struct.unpack_from(f"{order}I", tiff, 4)
    (entries,) = struct.unpack_from(f"{order}H", tiff, start)
    for at in range(start + 2, start + 2 + 12 * entries, 12):
        tag, kind, count, value = struct.unpack_from(f"{order}HHIH", tiff, at)
        if tag == _TAG:
            return int(value) if (kind, count) == (3, 1) else 0
    return 0

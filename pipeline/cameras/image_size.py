"""The size that a JPEG or PNG image says to have, before anything makes room for its pixels.

Sources: ITU-T T.81, B.2.2; W3C PNG, third edition, 11.2.1.
"""

from __future__ import annotations

from pipeline.cameras.images import SIGNATURES

MOST_PX = 1 << 27  # 400 MB once decoded; a camera of 108 megapixels is below
_JPEG, _PNG = SIGNATURES
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # not tables, reserved, conditioning
_SCAN, _FILL = 0xDA, 0xFF


def check_size(content: bytes) -> None:
    """Refuse an image of more than ``MOST_PX`` pixels.

    Args:
        content: of a JPEG or PNG; what is neither, or says no size, is let through to its decoder.

    Raises:
        ValueError: it says to be larger.
    """
    width, height = size_of(content) or (0, 0)
    if width * height > MOST_PX:
        raise ValueError(f"expected an image up to {MOST_PX} pixels, got {width}x{height}")


def size_of(content: bytes) -> tuple[int, int] | None:
    """Return width and height in pixels; None where the content says none."""
    if content.startswith(_PNG):
        return _number(content, 16, 4), _number(content, 20, 4)
    if not content.startswith(_JPEG):
        return None
    at = len(_JPEG)
    while at + 9 <= len(content) and content[at] == _FILL:
        marker = content[at + 1]
        if marker in _FRAMES:
            return _number(content, at + 7, 2), _number(content, at + 5, 2)
        if marker == _SCAN:
            return None
        at += 1 if marker == _FILL else 2 + _number(content, at + 2, 2)
    return None


def _number(content: bytes, at: int, size: int) -> int:
    return int.from_bytes(content[at : at + size], "big")

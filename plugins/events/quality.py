"""Rate how well an image shows an object."""

from __future__ import annotations

from collections.abc import Sequence

_CUT = 0.5  # of the worth of an object that the image's edge does not cut


def quality(score: float, box: Sequence[float], width: int, height: int) -> float:
    """Return a number in 0..1: by score and size, and less where the object is cut off.

    Args:
        score: in 0..1.
        box: left, top, right, bottom in pixels.
        width, height: of the image.
    """
    left, top, right, bottom = box
    share = max(right - left, 0) * max(bottom - top, 0) / max(1, width * height)
    is_cut = left <= 1 or top <= 1 or right >= width - 1 or bottom >= height - 1
    return float(score * min(share, 1.0) ** 0.5 * (_CUT if is_cut else 1.0))

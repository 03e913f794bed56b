"""Paints areas of an image black: legible to nobody, as nothing of them is left."""

from __future__ import annotations

import json
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Zone = Sequence[Sequence[float]]
Edges = tuple[float, float, float, float]

WHOLE: Edges = (0.0, 0.0, 1.0, 1.0)
_FRACTION_BITS = 6  # of a pixel, in coordinates for OpenCV


class Blackout:
    """Areas of an image, painted black in place.

    An area is painted with every pixel that it touches and one more around it, for scaling and
    chroma subsampling carry colours that far.

    Args:
        zones: polygons, their corners in 0..1 of the whole image as shown.
    """

    def __init__(self, zones: Sequence[Zone]) -> None:
        self.zones = [np.array(zone, np.float64).reshape(-1, 2) for zone in zones]
        self._made_for: tuple[tuple[int, ...], Edges] | None = None
        self._rows = slice(0, 0)
        self._keep = np.empty((0, 0), np.uint8)

    def apply(self, pixels: NDArray[np.uint8], area: Edges = WHOLE) -> None:
        """Paint in place.

        Args:
            pixels: (height, width, 3) or, of grey, (height, width) uint8; rows may be padded.
            area: the part of the whole image that they show: left, top, right, bottom in 0..1.
        """
        if self._made_for != (pixels.shape, area):
            height, width = pixels.shape[:2]
            covered = self._covered((width, height), area)
            rows = np.flatnonzero(covered.any(axis=1))
            self._rows = slice(rows[0], rows[-1] + 1) if len(rows) else slice(0, 0)
            self._keep = np.where(covered[self._rows], 0, 255).astype(np.uint8)
            if pixels.ndim == 3:
                self._keep = np.repeat(self._keep[:, :, None], pixels.shape[2], axis=2)
            self._made_for = pixels.shape, area
        if len(self._keep):
            part = pixels[self._rows]
            np.bitwise_and(part, self._keep, out=part)

    def _covered(self, size: tuple[int, int], area: Edges) -> NDArray[np.bool_]:
        """Return which pixels are painted: (height, width) bool."""
        width, height = size
        left, top, right, bottom = area
        rim = 2  # lines on the image's own edge would round to pixels beyond it
        drawn = np.zeros((height + 2 * rim, width + 2 * rim), np.uint8)
        scale = np.array([width / (right - left), height / (bottom - top)])
        for zone in self.zones:
            # OpenCV counts from the middle of the first pixel.
            corners = (zone - (left, top)) * scale - 0.5 + rim
            fixed = np.round(corners * 2**_FRACTION_BITS).astype(np.int32)
            cv2.fillPoly(drawn, [fixed], 1, cv2.LINE_8, _FRACTION_BITS)
            cv2.polylines(drawn, [fixed], True, 1, 1, cv2.LINE_8, _FRACTION_BITS)
        covered = cv2.dilate(drawn, np.ones((3, 3), np.uint8)) > 0
        return covered[rim:-rim, rim:-rim]


def read_zones(text: str) -> list[Zone]:
    """Read polygons from JSON, ``[[[x, y], …], …]``.

    Raises:
        ValueError: it is no such list, or there is nothing in it.
    """
    words = "expected [[[x, y], …], …] with x and y in 0..1 and 3 corners or more"
    try:
        zones = [np.array(zone, np.float64) for zone in json.loads(text)]
    except (ValueError, TypeError):
        raise ValueError(f"zones: {text:.60}; {words}") from None
    for zone in zones:
        fits = zone.ndim == 2 and zone.shape[1] == 2 and len(zone) >= 3
        if not fits or not ((zone >= 0) & (zone <= 1)).all():
            raise ValueError(f"zones: {text:.60}; {words}")
    if not zones:
        raise ValueError(f"zones: none; {words}")
    return [zone.tolist() for zone in zones]

"""Outlines of the drivable area."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from mirante.lanes import Points

_SMALLEST = 0.002  # of the plane
_MOST = 8
_TOLERANCE = 1.0  # pixel of the plane


def outlines(plane: NDArray[np.uint8]) -> Iterator[Points]:
    """Yield the outlines of a plane's larger areas, the largest first, in pixels of the plane.

    Args:
        plane: (height, width) uint8, 0 or 1; pixels that stand alone are passed over.
    """
    height, width = plane.shape
    found, _ = cv2.findContours(
        cv2.medianBlur(plane, 3), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    sized = sorted(((cv2.contourArea(each), i) for i, each in enumerate(found)), reverse=True)
    for area, i in sized[:_MOST]:
        if area < _SMALLEST * height * width:
            return
        outline = cv2.approxPolyDP(found[i], _TOLERANCE, True).reshape(-1, 2)
        if len(outline) >= 3:
            yield outline.astype(np.float32) + np.float32(0.5)  # of a pixel's centre

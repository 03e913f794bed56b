"""Where something moves, as boxes."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
_LEAST = 8  # pixels that touch each other, as the gate asks of motion


def areas_of(moving: NDArray[np.bool_]) -> list[Box]:
    """Return the boxes around groups of moving pixels: left, top, right, bottom in 0..1.

    Args:
        moving: (height, width).
    """
    height, width = moving.shape
    if not moving.any():
        return []
    groups = cv2.connectedComponentsWithStats(moving.view(np.uint8), connectivity=8)[2][1:]
    return [
        (x / width, y / height, (x + across) / width, (y + down) / height)
        for x, y, across, down, pixels in groups.tolist()
        if pixels >= _LEAST
    ]

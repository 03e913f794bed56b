"""Where something moves, as boxes."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
_LEAST = 8  # pixels that touch each other


def areas_of(moving: NDArray[np.bool_], lasting: NDArray[np.bool_]) -> list[Box]:
    """Return the boxes around groups of moving pixels: left, top, right, bottom in 0..1.

    Args:
        moving: (height, width).
        lasting: (height, width), those of groups that count however small they are.
    """
    height, width = moving.shape
    if not moving.any():
        return []
    _, labels, groups, _ = cv2.connectedComponentsWithStats(moving.view(np.uint8), connectivity=8)
    counts = np.asarray(groups[:, cv2.CC_STAT_AREA] >= _LEAST)
    counts[np.asarray(labels)[lasting]] = True
    counts[0] = False  # what does not move
    return [
        (x / width, y / height, (x + across) / width, (y + down) / height)
        for x, y, across, down, _ in groups[counts].tolist()
    ]

"""Where something moves, as boxes, and the pixels of a box."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
LEAST = 8  # pixels that touch each other
_NEAR, _MARGIN = 0.25, 3  # share of a box, and pixels, around it in which motion is its own


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
    counts = np.asarray(groups[:, cv2.CC_STAT_AREA] >= LEAST)
    counts[np.asarray(labels)[lasting]] = True
    counts[0] = False  # what does not move
    return [
        (x / width, y / height, (x + across) / width, (y + down) / height)
        for x, y, across, down, _ in groups[counts].tolist()
    ]


def near(box: Sequence[float], shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Return the rows and columns around an object in which motion is its own; as ``around``."""
    return around(box, shape, _NEAR, _MARGIN)


def around(
    box: Sequence[float], shape: tuple[int, ...], share: float, pixels: int
) -> tuple[slice, slice]:
    """Return the rows and columns of a box with a margin.

    Args:
        box: left, top, right, bottom in 0..1 of the image.
        shape: height and width of that.
        share, pixels: the margin: a share of the box's size, and pixels besides.
    """
    height, width = shape
    left, top, right, bottom = box
    x, y = share * (right - left) + pixels / width, share * (bottom - top) + pixels / height
    return (
        slice(max(0, int((top - y) * height)), max(0, int((bottom + y) * height) + 1)),
        slice(max(0, int((left - x) * width)), max(0, int((right + x) * width) + 1)),
    )

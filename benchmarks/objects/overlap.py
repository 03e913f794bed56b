"""The overlap of boxes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]


def overlap(one: Boxes, other: Boxes) -> Boxes:
    """Return the intersection of each box with each other over their union: (n, m) in 0..1.

    Args:
        one: (n, 4), left, top, right, bottom.
        other: (m, 4).
    """
    left, top, right, bottom = one.T[:, :, None]
    others_left, others_top, others_right, others_bottom = other.T[:, None, :]
    width = np.minimum(right, others_right) - np.maximum(left, others_left)
    height = np.minimum(bottom, others_bottom) - np.maximum(top, others_top)
    shared = np.maximum(width, 0) * np.maximum(height, 0)
    area = (right - left) * (bottom - top)
    others_area = (others_right - others_left) * (others_bottom - others_top)
    return np.asarray(shared / np.maximum(area + others_area - shared, 1e-9))

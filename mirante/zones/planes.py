"""Places looked up in masks, without unpacking them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mirante.mask import Mask

SAMPLES = 256  # of an object's mask: its share inside is known within 3 %

Points = NDArray[np.float64]
Bools = NDArray[np.bool_]


def plane_named(masks: Sequence[Mask], label: str) -> Mask | None:
    """Return the first of a frame's masks that has a plane of that name."""
    return next((mask for mask in masks if label in mask.labels), None)


def look_up(mask: Mask, label: str, points: Points) -> Bools:
    """Return which of (n, 2) points in source pixels a plane covers: (n,)."""
    left, top, right, bottom = mask.xyxy
    rows = mask.bits[mask.labels.index(label)]
    with np.errstate(invalid="ignore"):
        x = np.floor((points[:, 0] - left) * (mask.width / (right - left)))
        y = np.floor((points[:, 1] - top) * (mask.height / (bottom - top)))
    within = (x >= 0) & (x < mask.width) & (y >= 0) & (y < mask.height)
    column, row = np.where(within, x, 0).astype(np.intp), np.where(within, y, 0).astype(np.intp)
    bit = (rows[row, column >> 3] >> (7 - (column & 7))) & 1
    return np.asarray(within & (bit != 0))


def covered(mask: Mask, label: str) -> Points:
    """Return places in source pixels spread over what a plane of a mask covers: (n, 2), at most
    ``SAMPLES``. Without a plane of that name it is the first.
    """
    left, top, right, bottom = mask.xyxy
    rows, columns = np.nonzero(mask.plane(label if label in mask.labels else mask.labels[0]))
    step = -(-len(rows) // SAMPLES) or 1
    # Not each row's same column: a step that divides the width would sample stripes.
    chosen = np.linspace(0, len(rows) - 1, len(rows) // step).round().astype(np.intp)
    x = left + (columns[chosen] + 0.5) * ((right - left) / mask.width)
    y = top + (rows[chosen] + 0.5) * ((bottom - top) / mask.height)
    return np.stack([x, y], axis=1)

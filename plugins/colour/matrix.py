"""The arithmetic between the numbers that video carries and RGB."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def yuv_to_rgb(kr: float, kb: float, full: bool) -> NDArray[np.float64]:
    """Return the (3, 4) matrix from (Y, U, V, 1) of 8 bits to RGB of 0 to 255.

    The inverse of the equations in ITU-R BT.601, BT.709 and BT.2020, which differ in their weights.

    Args:
        kr, kb: the share of red and of blue in the luma.
        full: Y, U and V use 0 to 255, as in JPEG; otherwise Y has 16 to 235, U and V 16 to 240.
    """
    luma, chroma, black = (1.0, 1.0, 0.0) if full else (255 / 219, 255 / 224, 16.0)
    kg = 1 - kr - kb
    red, blue = 2 * (1 - kr) * chroma, 2 * (1 - kb) * chroma
    weights = np.array(
        [[luma, 0, red], [luma, -blue * kb / kg, -red * kr / kg], [luma, blue, 0]], np.float64
    )
    return np.column_stack((weights, -weights @ [black, 128.0, 128.0]))


def stretched() -> NDArray[np.uint8]:
    """Return a table of 256 from luma of 16 to 235 to 0 to 255."""
    levels = (np.arange(256) - 16) * 255 / 219
    return levels.round().clip(0, 255).astype(np.uint8)

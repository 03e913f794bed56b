"""Eight flat patches whose RGB values are known, side by side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PATCHES = np.array(
    [
        (0, 0, 0),
        (255, 255, 255),
        (128, 128, 128),
        (220, 30, 30),
        (30, 200, 30),
        (30, 30, 220),
        (230, 220, 20),
        (20, 20, 20),
    ],
    np.float64,
)
# The share of red and of blue in the luma.
WEIGHTS = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}


def yuv(rgb: NDArray[np.float64], weights: str, full: bool) -> NDArray[np.float64]:
    """Return (n, 3) Y, U, V of 8 bits, by the equations of ITU-R BT.601, BT.709 or BT.2020."""
    kr, kb = WEIGHTS[weights]
    red, green, blue = rgb.T / 255
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    u, v = (blue - luma) / (2 - 2 * kb), (red - luma) / (2 - 2 * kr)
    if full:
        return np.stack([luma * 255, u * 255 + 128, v * 255 + 128], 1)
    return np.stack([luma * 219 + 16, u * 224 + 128, v * 224 + 128], 1)


def picture(width: int, height: int) -> NDArray[np.uint8]:
    """Return (height, width, 3) RGB of the patches; the width is a multiple of eight."""
    row = np.repeat(PATCHES.astype(np.uint8), width // 8, 0)
    return np.tile(row, (height, 1, 1))


def patches_of(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the (8, 3) mean in the middle of each patch."""
    height, width = rgb.shape[:2]
    middle = rgb[height // 4 : -(-3 * height // 4)]
    columns = [(int((i + 0.35) * width / 8), int((i + 0.65) * width / 8)) for i in range(8)]
    return np.array([middle[:, first:last].mean((0, 1)) for first, last in columns])

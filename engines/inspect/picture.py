"""A tensor as an image: its channels side by side."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

TILES = 64  # at most; the first ones
LEAST_PX = 64  # tiles with a shorter longer side are enlarged, each value a square
MOST_PX = 512
GAP_PX = 2
NAN, INFINITE = (255, 0, 0), (255, 0, 255)


def planes_of(array: NDArray[Any]) -> NDArray[np.float64]:
    """The channels of a tensor as (channels, height, width).

    Of four axes the first is the batch, of which the first entry is shown, and the second the
    channels; the last is, where it alone is as short as an image's (1, 3 or 4). Otherwise the last
    two axes are a plane's, and all before them are joined.
    """
    numbers = np.atleast_2d(array.astype(np.float64))
    if numbers.ndim == 4:
        numbers = numbers[0]
        if numbers.shape[2] in {1, 3, 4} and numbers.shape[0] not in {1, 3, 4}:
            numbers = numbers.transpose(2, 0, 1)
    return np.reshape(numbers, (-1, *numbers.shape[-2:]))


def draw_tensor(array: NDArray[Any]) -> NDArray[np.uint8]:
    """(height, width, 3) uint8 RGB: one tile per channel, row by row, from its minimum in dark
    blue to its maximum in yellow. NaN is red, an infinity magenta.

    Raises:
        ValueError: the tensor is empty.
    """
    if not array.size:
        raise ValueError(f"picture: the tensor is empty, its shape is {array.shape}")
    planes = planes_of(array)[:TILES]
    tiles = [_tile(plane) for plane in planes]
    columns = math.ceil(math.sqrt(len(tiles) * tiles[0].shape[0] / tiles[0].shape[1]))
    columns = max(1, min(len(tiles), columns))
    height, width = (side + GAP_PX for side in tiles[0].shape[:2])
    rows = math.ceil(len(tiles) / columns)
    sheet = np.zeros((rows * height - GAP_PX, columns * width - GAP_PX, 3), np.uint8)
    for index, tile in enumerate(tiles):
        top, left = index // columns * height, index % columns * width
        sheet[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return sheet


def _tile(plane: NDArray[np.float64]) -> NDArray[np.uint8]:
    finite = np.isfinite(plane)
    shown = np.zeros(plane.shape, np.uint8)
    if finite.any():
        least, most = plane[finite].min(), plane[finite].max()
        span = most - least or 1.0
        shown[finite] = ((plane[finite] - least) / span * 255).astype(np.uint8)
    coloured = cv2.cvtColor(cv2.applyColorMap(shown, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB)
    coloured[np.isnan(plane)] = NAN
    coloured[np.isinf(plane)] = INFINITE
    return _sized(np.asarray(coloured, np.uint8))


def _sized(tile: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Small tiles enlarged by a whole number, large ones made smaller."""
    height, width = tile.shape[:2]
    times = LEAST_PX // max(height, width)
    if times > 1:
        return tile.repeat(times, axis=0).repeat(times, axis=1)
    if max(height, width) <= MOST_PX:
        return tile
    ratio = MOST_PX / max(height, width)
    size = [max(1, round(side * ratio)) for side in (width, height)]
    return np.asarray(cv2.resize(tile, size, interpolation=cv2.INTER_AREA), np.uint8)

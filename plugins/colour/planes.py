"""Planes of a frame to RGB, in few passes over the pixels and exact to a level of 255.

GStreamer's own 8-bit conversion is up to 5 levels too dark in limited range, and slower.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from plugins.colour.matrix import yuv_to_rgb
from plugins.colour.thermal import Window

Samples = NDArray[np.uint8 | np.uint16]
_BT601 = 0.299, 0.114


def yuv_planes(
    size: tuple[int, int],
    subsampled: tuple[int, int],
    weights: tuple[float, float],
    full: bool,
    bits: int = 8,
) -> YuvPlanes | BroadcastPlanes:
    """Return the converter of frames whose luma and chroma are planes, all of one size.

    Args:
        size: width and height.
        subsampled: how often the width, and the height, of chroma is halved (rounded up): 0 or 1.
        weights: the share of red and of blue in the luma.
        full: samples have full range, not limited.
        bits: of a sample; with more than 8 it is a uint16.
    """
    is_even = not (size[0] % 2 or size[1] % 2)
    if (subsampled, weights, full, bits, is_even) == ((1, 1), _BT601, False, 8, True):
        return BroadcastPlanes(size)
    return YuvPlanes(size, subsampled, yuv_to_rgb(*weights, full), bits)


def on_gpu(
    weights: tuple[float, float], full: bool, bits: int = 8
) -> tuple[NDArray[np.float64], int]:
    """Return the matrix, and the luma below which all is black, of the same conversion on a GPU.

    OpenCV's own conversion takes luma below 16 for 16; that by a matrix does not.

    Args:
        weights, full, bits: as of ``yuv_planes``.
    """
    return yuv_to_rgb(*weights, full), 16 if (weights, full, bits) == (_BT601, False, 8) else 0


class BroadcastPlanes:
    """Converts what most streams are, and OpenCV converts at once: BT.601 in limited range, 8 bits,
    chroma of half the width and height.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        width, height = size
        self._chroma = np.empty((height // 2, width // 2, 2), np.uint8)

    def convert(self, planes: Sequence[Samples], rgb: NDArray[np.uint8]) -> None:
        """Fill (height, width, 3) ``rgb``."""
        luma, u, v = planes
        cv2.merge([u, v], dst=self._chroma)
        cv2.cvtColorTwoPlane(luma, self._chroma, cv2.COLOR_YUV2RGB_NV12, dst=rgb)


class YuvPlanes:
    """Converts by any matrix.

    Args:
        size, subsampled, bits: as of ``yuv_planes``.
        matrix: (3, 4), from (Y, U, V, 1) of 8 bits to RGB.
    """

    def __init__(
        self,
        size: tuple[int, int],
        subsampled: tuple[int, int],
        matrix: NDArray[np.float64],
        bits: int,
    ) -> None:
        width, height = size
        self._across, self._down = (1 + each for each in subsampled)
        self._matrix, self._scale = matrix, 2.0 ** (8 - bits)
        rows, columns = -(-height // self._down), -(-width // self._across)
        self._wide = [np.empty((rows, columns, self._across), np.uint8) for _ in range(2)]
        self._yuv = np.empty((rows, width, 3), np.uint8)

    def convert(self, planes: Sequence[Samples], rgb: NDArray[np.uint8]) -> None:
        """Fill (height, width, 3) ``rgb``; a value of chroma serves each pixel that it covers."""
        narrow = self._scale < 1
        luma, *chroma = (
            np.asarray(cv2.convertScaleAbs(plane, alpha=self._scale), np.uint8) if narrow else plane
            for plane in planes
        )
        if self._across > 1:
            for plane, wide in zip(chroma, self._wide, strict=True):
                cv2.merge([plane, plane], dst=wide)
            width = rgb.shape[1]
            chroma = [wide.reshape(len(wide), -1)[:, :width] for wide in self._wide]
        for first in range(min(self._down, len(luma))):
            rows = luma[first :: self._down]
            u, v = (plane[: len(rows)] for plane in chroma)
            yuv = self._yuv[: len(rows)]  # once more for the other rows: it stays in the cache
            cv2.merge([rows, u, v], dst=yuv)
            cv2.transform(yuv, self._matrix, dst=rgb[first :: self._down])


class GreyPlane:
    """Converts frames that have luma of 8 bits alone.

    Args:
        table: 256 uint8, what each level becomes; None where it stays.
    """

    def __init__(self, table: NDArray[np.uint8] | None) -> None:
        self._table = table

    def convert(self, planes: Sequence[Samples], rgb: NDArray[np.uint8]) -> None:
        """Fill (height, width, 3) ``rgb`` from one (height, width) plane."""
        grey = planes[0] if self._table is None else cv2.LUT(planes[0], self._table)
        cv2.merge([grey, grey, grey], dst=rgb)


class ThermalPlane:
    """Converts frames that have luma of 16 bits alone.

    Args:
        window: what of it is shown.
    """

    def __init__(self, window: Window) -> None:
        self._window = window

    def convert(self, planes: Sequence[Samples], rgb: NDArray[np.uint8]) -> None:
        """Fill (height, width, 3) ``rgb`` from one (height, width) plane."""
        grey = self._window.shown(planes[0])
        cv2.merge([grey, grey, grey], dst=rgb)

"""Raw video in a buffer: where its planes lie, and how they become RGB."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import cv2
import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstVideo", "1.0")
import numpy as np
from gi.repository import Gst, GstVideo
from numpy.typing import NDArray

from engines.placement import Size
from plugins.colour.matrix import stretched
from plugins.colour.planes import GreyPlane, Samples, ThermalPlane, yuv_planes
from plugins.colour.thermal import WHOLE, Window
from plugins.packed_rows import Placed, sample_of

_FULL = 1  # GstVideoColorRange

Pixels = NDArray[np.uint8]
Convert = Callable[[Sequence[Samples], Pixels], None]


def converter(video: Any, size: Size, window: Window) -> Convert:
    """Return what fills (height, width, 3) RGB from the planes of YUV, or of grey.

    Args:
        video: a ``GstVideo.VideoInfo``.
        size: width and height of what is converted.
        window: what is shown of 16-bit grey.
    """
    kind, colours = video.finfo, video.colorimetry
    is_full = int(colours.range) == _FULL
    if kind.flags & GstVideo.VideoFormatFlags.YUV:
        _, kr, kb = GstVideo.VideoColorMatrix.get_Kr_Kb(colours.matrix)
        bits = kind.depth[0] + kind.shift[0]
        return yuv_planes(size, (kind.w_sub[1], kind.h_sub[1]), (kr, kb), is_full, bits).convert
    if kind.depth[0] == 8:
        return GreyPlane(None if is_full else stretched()).convert
    return ThermalPlane(window).convert


class Layout:
    """The frames of one format and size. Used by one thread.

    Args:
        caps: of ``mirtorgb``'s formats.
        window: what is shown of 16-bit grey.

    Attributes:
        size: width and height.
        is_rgb: there is nothing to convert.
    """

    def __init__(self, caps: Gst.Caps, window: Window | None = None) -> None:
        video = GstVideo.VideoInfo.new_from_caps(caps)
        kind = video.finfo
        self.size: Size = (video.width, video.height)
        self.is_rgb = kind.name == "RGB"
        self._subsampled = list(zip(kind.w_sub, kind.h_sub, strict=True))[: kind.n_planes]
        self._video, self._window = video, window or Window(*WHOLE)
        self._sample, self._placed = sample_of(kind), Placed(video)
        self._shapes = self._shapes_of(self.size)
        if self.is_rgb:
            self._shapes = [(video.height, video.width * 3)]
        self.convert = self._converter(self.size)
        self._scaler = lru_cache(maxsize=4)(lambda size: _Scaler(self, size))

    def planes(self, buffer: Gst.Buffer, data: memoryview) -> list[Samples]:
        """Return the planes of a mapped buffer, without a copy."""
        return [
            np.ndarray(shape, self._sample, data, offset, (row, self._sample.itemsize))
            for shape, row, offset in zip(self._shapes, *self._placed.of(buffer), strict=False)
        ]

    def scaled(self, planes: Sequence[Samples], size: Size) -> Pixels:
        """Return a frame of planes of YUV as (height, width, 3) RGB of another size; the next call
        overwrites it. Planes are scaled before they are converted, which is half of the work.
        """
        pixels: Pixels = self._scaler(size)(planes)
        return pixels

    def _shapes_of(self, size: Size) -> list[tuple[int, int]]:
        return [(-(-size[1] >> y), -(-size[0] >> x)) for x, y in self._subsampled]

    def _converter(self, size: Size) -> Convert:
        if self.is_rgb:
            return lambda planes, rgb: np.copyto(rgb, planes[0].reshape(rgb.shape))
        return converter(self._video, size, self._window)


class _Scaler:
    """Scales and converts frames of a layout, through buffers that are allocated once.

    They are of even size, which is converted fastest; what is more than was asked for is not seen.
    """

    def __init__(self, layout: Layout, size: Size) -> None:
        width, height = size
        even = width + width % 2, height + height % 2
        self._planes = [np.zeros(shape, layout._sample) for shape in layout._shapes_of(even)]
        luma, *chroma = self._planes
        self._targets = [luma[:height, :width], *chroma]
        self._convert = layout._converter(even)
        self._even = np.empty((even[1], even[0], 3), np.uint8)
        self._pixels = self._even[:height, :width]

    def __call__(self, planes: Sequence[Samples]) -> Pixels:
        for plane, target in zip(planes, self._targets, strict=True):
            cv2.resize(plane, target.shape[::-1], dst=target, interpolation=cv2.INTER_LINEAR)
        self._convert(self._planes, self._even)
        return self._pixels

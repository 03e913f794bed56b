"""Raw video in a buffer: where its planes lie, and how they become RGB."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

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

FULL = 1  # GstVideoColorRange
# Looked up once, as those of ``plugins.element`` are.
_video_meta = GstVideo.buffer_get_video_meta

Pixels = NDArray[np.uint8]


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
        self._bits, order = kind.depth[0], ">" if kind.name.endswith("BE") else "<"
        self._sample = np.dtype(f"{order}u{1 if self._bits == 8 else 2}")
        self._placed = video.stride, video.offset
        self._is_full = int(video.colorimetry.range) == FULL
        if kind.n_planes > 1:
            _, kr, kb = GstVideo.VideoColorMatrix.get_Kr_Kb(video.colorimetry.matrix)
            self._weights = kr, kb
        self._shapes = self._shapes_of(self.size)
        if self.is_rgb:
            self._shapes = [(video.height, video.width * 3)]
        self.convert = self._converter(window or Window(*WHOLE))
        self._scaler = lru_cache(maxsize=4)(lambda size: _Scaler(self, size))

    def planes(self, buffer: Gst.Buffer, data: memoryview) -> list[Samples]:
        """Return the planes of a mapped buffer, without a copy."""
        meta = _video_meta(buffer)
        placed = self._placed if meta is None else (meta.stride, meta.offset)
        return [
            np.ndarray(shape, self._sample, data, offset, (row, self._sample.itemsize))
            for shape, row, offset in zip(self._shapes, *placed, strict=False)
        ]

    def scaled(self, planes: Sequence[Samples], size: Size) -> Pixels:
        """Return a frame of planes of YUV as (height, width, 3) RGB of another size; the next call
        overwrites it. Planes are scaled before they are converted, which is half of the work.
        """
        pixels: Pixels = self._scaler(size)(planes)
        return pixels

    def _shapes_of(self, size: Size) -> list[tuple[int, int]]:
        return [(-(-size[1] >> y), -(-size[0] >> x)) for x, y in self._subsampled]

    def _converter(self, window: Window) -> Callable[[Sequence[Samples], Pixels], None]:
        if len(self._subsampled) > 1:
            return self._of_yuv(self.size)
        if self.is_rgb:
            return lambda planes, rgb: np.copyto(rgb, planes[0].reshape(rgb.shape))
        if self._bits == 8:
            return GreyPlane(None if self._is_full else stretched()).convert
        return ThermalPlane(window).convert

    def _of_yuv(self, size: Size) -> Callable[[Sequence[Samples], Pixels], None]:
        chroma = self._subsampled[1]
        return yuv_planes(size, chroma, self._weights, self._is_full, self._bits).convert


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
        self._convert = layout._of_yuv(even)
        self._even = np.empty((even[1], even[0], 3), np.uint8)
        self._pixels = self._even[:height, :width]

    def __call__(self, planes: Sequence[Samples]) -> Pixels:
        for plane, target in zip(planes, self._targets, strict=True):
            cv2.resize(plane, target.shape[::-1], dst=target, interpolation=cv2.INTER_LINEAR)
        self._convert(self._planes, self._even)
        return self._pixels

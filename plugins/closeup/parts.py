"""Parts of decoded video to RGB, read where the decoder left them."""

from __future__ import annotations

from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstVideo", "1.0")
import cv2
import numpy as np
from gi.repository import Gst, GstVideo
from numpy.typing import NDArray

from plugins.colour.layout import converter
from plugins.colour.thermal import Window
from plugins.frame import Area
from plugins.packed_rows import Placed, sample_of

_FLAGS = GstVideo.VideoFormatFlags


class Parts:
    """Reads parts of the frames of one format.

    Args:
        caps: of the frames, with their colours.
        window: the part of 16-bit grey that is shown.

    Attributes:
        name: of the format.
        size: width and height of a frame.
        follows: what is shown of it follows the frames, each of which ``follow`` must see.
        is_readable: samples are rows of numbers, and chroma is at most halved.
    """

    def __init__(self, caps: Gst.Caps, window: Window) -> None:
        self._video = GstVideo.VideoInfo.new_from_caps(caps)
        self._kind, self._window = self._video.finfo, window
        self._placed = Placed(self._video)
        self.name: str = self._kind.name
        self.size: tuple[int, int] = self._video.width, self._video.height
        self._is_grey = bool(self._kind.flags & _FLAGS.GRAY)
        self._is_yuv = bool(self._kind.flags & _FLAGS.YUV)
        self._sample = sample_of(self._kind)
        self.is_readable = self._can_be_read()
        self.follows = self._is_grey and self._kind.depth[0] == 16 and window.follows

    def _can_be_read(self) -> bool:
        kind = self._kind
        count = 1 if self._is_grey else 3
        if (
            kind.flags & _FLAGS.COMPLEX
            or kind.n_components < count
            or len({*kind.depth[:count]}) > 1
        ):
            return False
        if self._is_grey and kind.depth[0] not in (8, 16):
            return False
        is_packed = kind.depth[0] == 10 and kind.pixel_stride[0] > 2
        if not self._is_grey and not self._is_yuv and kind.depth[0] != 8:
            return False
        return kind.depth[0] >= 8 and not is_packed and max(*kind.w_sub[:3], *kind.h_sub[:3]) <= 1

    def follow(self, buffer: Gst.Buffer, data: memoryview) -> None:
        """Have what is shown of 16-bit grey follow a frame, as ``mirrgb`` does."""
        self._window.shown(self._component(0, buffer, data, (0, 0, *self.size)))

    def rgb(self, buffer: Gst.Buffer, data: memoryview, area: Area) -> NDArray[np.uint8]:
        """Return a part of a frame: (height, width, 3) uint8, an array of its own.

        Args:
            buffer: the frame.
            data: its memory.
            area: the part.
        """
        left, top, right, bottom = area
        # Chroma begins at even pixels: the rest is cut off afterwards.
        wide = left & ~1, top & ~1, right, bottom
        size = right - wide[0], bottom - wide[1]
        rgb = np.empty((size[1], size[0], 3), np.uint8)
        count = 1 if self._is_grey else 3
        found = [self._component(each, buffer, data, wide) for each in range(count)]
        self._convert(found, rgb)
        return rgb[top - wide[1] :, left - wide[0] :]

    def _convert(self, found: list[NDArray[Any]], rgb: NDArray[np.uint8]) -> None:
        if not self._is_yuv and not self._is_grey:
            cv2.merge(found, dst=rgb)
            return
        size = rgb.shape[1], rgb.shape[0]
        converter(self._video, size, self._window.held())(found, rgb)

    def _component(
        self, number: int, buffer: Gst.Buffer, data: memoryview, area: Area
    ) -> NDArray[Any]:
        """Return the samples of one component in a part that begins at even pixels."""
        kind, (strides, offsets) = self._kind, self._placed.of(buffer)
        x, y, plane = kind.w_sub[number], kind.h_sub[number], kind.plane[number]
        width, height = -(-self.size[0] >> x), -(-self.size[1] >> y)
        first, length = kind.poffset[number], self._sample.itemsize
        if first % length:  # GStreamer says 1 of the second word in P010
            first *= length
        whole = np.ndarray(
            (height, width),
            self._sample,
            data,
            offsets[plane] + first,
            (strides[plane], kind.pixel_stride[number]),
        )
        left, top, right, bottom = area
        part = whole[top >> y : -(-bottom >> y), left >> x : -(-right >> x)]
        return np.ascontiguousarray(part, part.dtype.newbyteorder("="))

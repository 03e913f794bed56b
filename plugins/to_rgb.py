"""The converter inside ``mirrgb``: planes of YUV, and grey, to RGB."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstVideo", "1.0")
import numpy as np
from gi.repository import GLib, Gst, GstVideo
from numpy.typing import NDArray

from plugins.colour.matrix import stretched
from plugins.colour.planes import GreyPlane, ThermalPlane, yuv_planes
from plugins.colour.thermal import Window
from plugins.element import ERROR, OK, READ, RGB, pad_templates

FULL = 1  # GstVideoColorRange
# Looked up once, as those of ``plugins.element`` are.
_WRITE = Gst.MapFlags.WRITE
_video_meta = GstVideo.buffer_get_video_meta
_TAKEN = Gst.Caps.from_string(
    "video/x-raw,format={RGB,I420,Y42B,Y444,I420_10LE,I422_10LE,Y444_10LE,I420_12LE,I422_12LE,"
    "Y444_12LE,GRAY8,GRAY16_LE,GRAY16_BE}"
)


class ToRgb(GstVideo.VideoFilter):  # type: ignore[misc]
    """Converts by the matrix and range in its caps; what is RGB passes through."""

    __gstmetadata__ = ("Mirante to RGB", "Filter/Converter/Video", "Converts to RGB", "Mirante")
    __gsttemplates__ = pad_templates(_TAKEN, RGB)

    _convert: Callable[[list[Any], NDArray[np.uint8]], None]

    def do_start(self) -> bool:
        """Called on the way from READY to PAUSED."""
        try:
            self._window = Window.of_text(self.get_parent().thermal_range)
        except ValueError as error:
            self._post(Gst.ResourceError.quark(), Gst.ResourceError.SETTINGS, error)
            return False
        return True

    def do_transform_caps(self, direction: Any, caps: Gst.Caps, only: Gst.Caps | None) -> Gst.Caps:
        """Called to negotiate: the same size on the other side."""
        there = RGB if direction == Gst.PadDirection.SINK else _TAKEN
        sizes = Gst.Caps.new_empty()
        for index in range(caps.get_size()):
            shape = caps.get_structure(index).copy()
            for field in ("format", "colorimetry", "chroma-site"):
                shape.remove_field(field)
            sizes.append_structure(shape)
        other = sizes.intersect_full(there, Gst.CapsIntersectMode.FIRST)
        return other if only is None else only.intersect_full(other, Gst.CapsIntersectMode.FIRST)

    def do_set_info(self, taken: Gst.Caps, _taken: Any, given: Gst.Caps, _given: Any) -> bool:
        """Called when size or format changes."""
        video = GstVideo.VideoInfo.new_from_caps(taken)
        kind = video.finfo
        self.set_passthrough(kind.name == "RGB" and not video.width % 4)  # or rows may be packed
        subsampled = list(zip(kind.w_sub, kind.h_sub, strict=True))[: kind.n_planes]
        self._shapes = [(-(-video.height >> y), -(-video.width >> x)) for x, y in subsampled]
        bits, order = kind.depth[0], ">" if kind.name.endswith("BE") else "<"
        self._sample = np.dtype(f"{order}u{1 if bits == 8 else 2}")
        self._placed = video.stride, video.offset
        row = GstVideo.VideoInfo.new_from_caps(given).stride[0]
        self._rgb = (video.height, video.width, 3), (row, 3, 1)
        is_full = int(video.colorimetry.range) == FULL
        if kind.n_planes > 1:
            _, kr, kb = GstVideo.VideoColorMatrix.get_Kr_Kb(video.colorimetry.matrix)
            size = video.width, video.height
            self._convert = yuv_planes(size, subsampled[1], (kr, kb), is_full, bits).convert
        elif kind.name == "RGB":
            self._shapes = [(video.height, video.width * 3)]
            self._convert = lambda planes, rgb: np.copyto(rgb, planes[0].reshape(rgb.shape))
        elif bits == 8:
            self._convert = GreyPlane(None if is_full else stretched()).convert
        else:
            self._convert = ThermalPlane(self._window).convert
        return True

    def do_transform(self, buffer: Gst.Buffer, given: Gst.Buffer) -> Gst.FlowReturn:
        """Called for each frame."""
        try:
            meta = _video_meta(buffer)
            placed = self._placed if meta is None else (meta.stride, meta.offset)
            with buffer.map(READ) as read, given.map(_WRITE) as written:
                planes = [
                    np.ndarray(shape, self._sample, read.data, offset, (row, self._sample.itemsize))
                    for shape, row, offset in zip(self._shapes, *placed, strict=False)
                ]
                shape, steps = self._rgb
                self._convert(planes, np.ndarray(shape, np.uint8, written.data, 0, steps))
        except Exception as error:  # noqa: BLE001  # must not be raised into GStreamer
            self._post(Gst.StreamError.quark(), Gst.StreamError.FAILED, error)
            return ERROR
        return OK

    def do_transform_frame(self, _frame: Any, _given: Any) -> Gst.FlowReturn:
        """Never called: a video filter without it is taken for one that works in place, but Python
        cannot read the pixels of what it is given.
        """
        return Gst.FlowReturn.NOT_SUPPORTED

    def _post(self, domain: int, code: int, error: Exception) -> None:
        words = f"mirrgb: {type(error).__name__}: {error}"
        message = GLib.Error.new_literal(domain, words, int(code))
        self.post_message(Gst.Message.new_error(self, message, ""))

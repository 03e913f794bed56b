"""Raw video without padding behind its rows, as AVI and Matroska hold it."""

from __future__ import annotations

from typing import Any, NamedTuple

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstVideo", "1.0")
import numpy as np
from gi.repository import GLib, Gst, GstVideo

_OK, _DROP = Gst.PadProbeReturn.OK, Gst.PadProbeReturn.DROP
_video_meta = GstVideo.buffer_get_video_meta  # looked up once, not for each frame
_COPIED = (
    Gst.BufferCopyFlags.FLAGS
    | Gst.BufferCopyFlags.TIMESTAMPS
    | Gst.BufferCopyFlags.META
    | Gst.BufferCopyFlags.MEMORY
)


class Rows(NamedTuple):
    """Where the planes of a frame lie, in bytes.

    Attributes:
        size: of the whole frame.
        strides: from row to row, by plane.
        offsets: of each plane.
    """

    size: int
    strides: list[int]
    offsets: list[int]


def packed(video: Any) -> Rows | None:
    """Return where planes without padding lie; None for formats that pack samples otherwise.

    Args:
        video: a ``GstVideo.VideoInfo``.
    """
    kind = video.finfo
    if kind.flags & GstVideo.VideoFormatFlags.COMPLEX:
        return None
    size, strides, offsets = 0, [0] * 4, [0] * 4
    for plane in range(kind.n_planes):
        held = [c for c in range(kind.n_components) if kind.plane[c] == plane]
        widths = [-(-video.width >> kind.w_sub[c]) * kind.pixel_stride[c] for c in held]
        strides[plane], offsets[plane] = max(widths), size
        size += max(widths) * -(-video.height >> kind.h_sub[held[0]])
    return Rows(size, strides, offsets)


def sample_of(kind: Any) -> np.dtype[Any]:
    """Return the type of a sample of a format, a ``GstVideo.VideoFormatInfo``: uint8, or uint16 in
    the format's byte order.
    """
    order = "<" if kind.flags & GstVideo.VideoFormatFlags.LE else ">"
    return np.dtype(f"{order}u{1 if kind.depth[0] == 8 else 2}")


class Placed:
    """Where the planes of the frames of one format lie.

    Args:
        video: a ``GstVideo.VideoInfo``.
    """

    def __init__(self, video: Any) -> None:
        self._padded = Rows(video.size, video.stride, video.offset)
        self._packed = packed(video)

    def of(self, buffer: Any) -> tuple[list[int], list[int]]:
        """Return the strides and offsets of a frame: as its buffer says or, where it does not, as
        its size tells.
        """
        meta = _video_meta(buffer)
        if meta is not None:
            return meta.stride, meta.offset
        rows = self._packed
        if rows is not None and buffer.get_size() == rows.size < self._padded.size:
            return rows.strides, rows.offsets
        return self._padded.strides, self._padded.offsets


class PackedRows:
    """Tells what comes to a sink pad where its rows lie, if they are packed.

    Elements take rows for padded to 4 bytes where a buffer does not say how they lie, and demuxers
    do not say it. The size of the buffer tells. One that is too small is dropped, with a warning.
    """

    def __init__(self, pad: Any) -> None:
        self._video: Any = None
        self._rows: Rows | None = None
        pad.add_probe(Gst.PadProbeType.EVENT_DOWNSTREAM, self._on_event)
        pad.add_probe(Gst.PadProbeType.BUFFER, self._on_buffer)

    def _on_event(self, _pad: Any, info: Any) -> Any:
        event = info.get_event()
        if event.type == Gst.EventType.CAPS:
            caps = event.parse_caps()
            is_here = caps.get_features(0).contains(Gst.CAPS_FEATURE_MEMORY_SYSTEM_MEMORY)
            self._video = GstVideo.VideoInfo.new_from_caps(caps) if is_here else None
            self._rows = None if self._video is None else packed(self._video)
        return _OK

    def _on_buffer(self, pad: Any, info: Any) -> Any:
        buffer, rows, video = info.get_buffer(), self._rows, self._video
        size = buffer.get_size()
        if video is None or size >= video.size or _video_meta(buffer):
            return _OK
        if rows is None or size != rows.size:
            _warn(pad, f"a frame of {size} bytes; expected {video.size} for {_shape(video)}")
            return _DROP
        told = buffer.copy_region(_COPIED, 0, size)
        shape = video.finfo.format, video.width, video.height, video.finfo.n_planes
        flags = GstVideo.VideoFrameFlags.NONE
        GstVideo.buffer_add_video_meta_full(told, flags, *shape, rows.offsets, rows.strides)
        pad.chain(told)  # passes here again, as it is
        return _DROP


def _shape(video: Any) -> str:
    return f"{video.finfo.name} {video.width}x{video.height}"


def _warn(pad: Any, words: str) -> None:
    element = pad.get_parent_element()
    code = int(Gst.StreamError.DECODE)
    error = GLib.Error.new_literal(Gst.StreamError.quark(), f"mirrgb: {words}", code)
    element.post_message(Gst.Message.new_warning(element, error, ""))

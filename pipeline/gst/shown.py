"""Images of encoded packets as a camera shows them: its own graph without its source and stages."""

from __future__ import annotations

from typing import Any

import gi
import numpy as np

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst, GstVideo

from pipeline.cameras.graph import camera_graph
from pipeline.cameras.sources.base import DECODE, Source
from pipeline.config.camera import Camera
from pipeline.gst.decoders import is_decoder, one_thread
from pipeline.gst.decoding import Decoding
from pipeline.gst.formats import guard_formats
from pipeline.gst.view import follow_view
from plugins.clips.mp4 import VideoError
from plugins.clips.ring import Packet, Stream
from plugins.clips.shown import Image
from plugins.element import give_line
from plugins.ledger import Ledger
from plugins.line import Line

_PACKETS = Source(f"appsrc name=source format=time max-bytes=0 ! {DECODE}", pace="every_frame")
_IMAGES = (
    "appsink name=shown caps=video/x-raw,format=RGB sync=false max-buffers=2 "
    "enable-last-sample=false"
)
_LARGEST = {"width": 7680, "height": 4320, "fps": None, "loop": False, "damaged": "keep"}


class ShownImages:
    """Decodes packets; all that hides a part of the image for people hides it here.

    Args:
        spec: the camera.
        stream: the format of the packets.

    Raises:
        VideoError: GStreamer lacks an element.
    """

    def __init__(self, spec: Camera, stream: Stream) -> None:
        self._line = Line(Ledger("clip"))
        spec = spec.model_copy(update=_LARGEST)
        graph = camera_graph("clip", spec, _IMAGES, _PACKETS)
        try:
            self._pipeline = Gst.parse_launch(graph)
        except GLib.Error as error:
            raise VideoError(f"its images cannot be shown: {error.message}") from None
        give_line(self._pipeline, self._line)
        follow_view(self._pipeline, spec)
        self._decoding = Decoding(spec.decode)
        self._decoding.install(self._pipeline.get_by_name("decode"))
        self._pipeline.connect("deep-element-added", _on_element)
        self._source = self._pipeline.get_by_name("source")
        self._source.set_property("caps", Gst.Caps.from_string(stream.caps))
        self._sink = self._pipeline.get_by_name("shown")
        self._bus = self._pipeline.get_bus()
        self._orientation = stream.orientation
        self._pipeline.set_state(Gst.State.PLAYING)

    def push(self, packet: Packet, pts_ns: int, dts_ns: int) -> None:
        """Take the next packet."""
        buffer = Gst.Buffer.new_wrapped(packet.data)
        buffer.pts, buffer.dts = pts_ns, dts_ns
        if not packet.is_key:
            buffer.set_flags(Gst.BufferFlags.DELTA_UNIT)
        if self._orientation:
            tags = Gst.TagList.new_empty()
            tags.add_value(Gst.TagMergeMode.REPLACE, Gst.TAG_IMAGE_ORIENTATION, self._orientation)
            self._source.send_event(Gst.Event.new_tag(tags))
            self._orientation = ""
        self._source.emit("push-buffer", buffer)

    def end(self) -> None:
        """No more packets come."""
        self._source.emit("end-of-stream")

    @property
    def is_over(self) -> bool:
        """True once the last image was pulled."""
        return bool(self._sink.get_property("eos"))

    def pull(self, timeout_s: float) -> Image | None:
        """Return the next image; None where none came in time, or none will.

        Raises:
            VideoError: a packet cannot be shown as configured.
        """
        sample = self._sink.emit("try-pull-sample", int(timeout_s * Gst.SECOND))
        message = self._bus.pop_filtered(Gst.MessageType.ERROR)
        if message is not None:
            raise VideoError(f"its images cannot be shown: {message.parse_error()[0].message}")
        return None if sample is None else self._image(sample)

    def close(self) -> None:
        """Let go of everything."""
        self._pipeline.set_state(Gst.State.NULL)

    def _image(self, sample: Any) -> Image:
        info = GstVideo.VideoInfo.new_from_caps(sample.get_caps())
        buffer = sample.get_buffer()
        self._line.ledger.drop(buffer.pts, "stage")  # no account is kept of it
        with buffer.map(Gst.MapFlags.READ) as mapped:
            shape, strides = (info.height, info.width, 3), (info.stride[0], 3, 1)
            pixels = np.ndarray(shape, np.uint8, mapped.data, strides=strides).copy()
        return Image(pixels, buffer.pts)


def _on_element(_pipeline: Any, _parent: Any, element: Any) -> None:
    factory = element.get_factory()
    if factory is not None and is_decoder(factory):
        guard_formats(element)
        one_thread(element)

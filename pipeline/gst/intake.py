"""Probes in front of a decoder: what arrives before it is a whole image, and what was lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst

_LOST = "GstRTPPacketLost"
_MISMATCH = "CONTINUITY"  # how tsdemux begins when a counter of packets jumps
_JPEG_END, _JPEG_SCAN = b"\xff\xd9", b"\xff\xda"
_TAIL = 4096  # bytes; cameras write a little of their own behind the end of an image
_FLOWING = Gst.PadProbeType.BUFFER | Gst.PadProbeType.BUFFER_LIST


class Intake:
    """Watches the elements in front of a decoder.

    Args:
        on_data: called for data of the video until it returns False.
        on_lost: called when RTP packets were lost: with None, then with the PTS of the next one.
    """

    def __init__(self, on_data: Callable[[], bool], on_lost: Callable[[int | None], None]) -> None:
        self._on_data, self._on_lost = on_data, on_lost
        self._awaits = False

    def watch(self, element: Any) -> None:
        """Puts probes on an element that is of use here."""
        if element.find_property("do-lost") is not None:  # of a jitter buffer: to tell of losses
            element.set_property("do-lost", True)
        factory = element.get_factory()
        kind = factory.get_metadata("klass") if factory is not None else ""
        pad = element.get_static_pad("sink")
        if pad is None or not ("Depayloader" in kind or ("Parser" in kind and "Video" in kind)):
            return
        pad.add_probe(_FLOWING, self._on_buffer)
        # RTP of JPEG has no image but whole ones: an incomplete one ends in its depayloader.
        if "Depayloader" in kind and factory.get_name() != "rtpjpegdepay":
            pad.add_probe(Gst.PadProbeType.EVENT_DOWNSTREAM, self._on_event)

    def close(self) -> None:
        """Call nobody any more, and so keep nobody."""
        self._on_data, self._on_lost = lambda: False, lambda pts: None

    def heard(self, message: Any) -> None:
        """Take in what a demuxer of MPEG-TS says of lost packets, before what comes behind them.

        It drops the image that they are missing in.
        """
        if message.type == Gst.MessageType.WARNING:
            error, _ = message.parse_warning()
            demuxes = error.matches(Gst.StreamError.quark(), Gst.StreamError.DEMUX)
            if demuxes and error.message.startswith(_MISMATCH):
                self._on_lost(0)

    def _on_buffer(self, _pad: Any, _info: Any) -> Any:
        return Gst.PadProbeReturn.OK if self._on_data() else Gst.PadProbeReturn.REMOVE

    def _on_event(self, pad: Any, info: Any) -> Any:
        """The event ends here: a depayloader makes a gap of it, on which decoders act."""
        event = info.get_event()
        if event.type != Gst.EventType.CUSTOM_DOWNSTREAM or not event.has_name(_LOST):
            return Gst.PadProbeReturn.OK
        self._on_lost(None)
        if not self._awaits:
            self._awaits = True
            pad.add_probe(Gst.PadProbeType.BUFFER, self._on_next)
        return Gst.PadProbeReturn.DROP

    def _on_next(self, _pad: Any, info: Any) -> Any:
        self._awaits = False
        self._on_lost(info.get_buffer().pts)
        return Gst.PadProbeReturn.REMOVE


class JpegEnds:
    """Finds JPEG images without an end, of which libjpeg makes the rest grey, and says nothing.

    A camera that never writes one leaves its images whole.
    """

    def __init__(self) -> None:
        self._writes_ends = False

    def is_cut(self, buffer: Any) -> bool:
        """Return whether an image has no end, though others had one."""
        is_ended = _is_ended(buffer)
        self._writes_ends = self._writes_ends or is_ended
        return self._writes_ends and not is_ended


def _is_ended(buffer: Any) -> bool:
    """Whether an end is behind the last scan; that of a thumbnail is before it."""
    with buffer.map(Gst.MapFlags.READ) as mapped:
        if _JPEG_END in bytes(mapped.data[-_TAIL:]):
            return True
        data = bytes(mapped.data)
    return data.rfind(_JPEG_END) >= data.rfind(_JPEG_SCAN)

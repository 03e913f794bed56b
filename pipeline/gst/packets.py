"""Copies what comes to a decoder into the rings of clips, where there are any."""

from __future__ import annotations

import time
from typing import Any

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from pipeline.cameras.sharing import Lead
from plugins.clips.ring import Packet, PacketRing, Stream
from plugins.line import Line

_DELTA = Gst.BufferFlags.DELTA_UNIT
_NO_TIME: int = Gst.CLOCK_TIME_NONE
_BACK_NS = 1_000_000_000  # by which times fall where a recording begins again


class PacketTap:
    """Of one session. Its methods run on streaming threads.

    Args:
        line: has the rings of the camera whose session it is.
        lead: has those of cameras that follow it, where some may.
    """

    def __init__(self, line: Line, lead: Lead | None) -> None:
        self._line, self._lead = line, lead
        self._stream: Stream | None = None
        self._orientation = ""
        self._run = time.monotonic_ns()
        self._highest = -1
        self._is_timed = False

    @property
    def is_resting(self) -> bool:
        """True while nobody looks at the images, so that key frames are enough to decode."""
        return self._line.is_resting

    @property
    def rings(self) -> tuple[PacketRing, ...]:
        """Those that are given all packets."""
        lead = self._lead
        return self._line.rings if lead is None else (*self._line.rings, *lead.rings)

    def event(self, event: Any) -> None:
        """Take in what an event says of the packets behind it."""
        if event.type == Gst.EventType.CAPS:
            self._stream = None
        elif event.type == Gst.EventType.TAG:
            is_there, text = event.parse_tag().get_string(Gst.TAG_IMAGE_ORIENTATION)
            if is_there:
                self._orientation, self._stream = text, None

    def arrived(self, pad: Any, buffer: Any, captured_ns: int, is_timed: bool) -> None:
        """Take an encoded image.

        Args:
            pad: that it comes to.
            buffer: the image.
            captured_ns: Unix time of capture, or of arrival.
            is_timed: the camera's clock told it.
        """
        rings = self.rings
        if not rings:
            return
        if self._stream is None:
            self._stream = Stream(pad.get_current_caps().to_string(), self._orientation)
        # Where RTP tells the camera's time, PTS do not tell the order: see the jitter buffer's.
        place = captured_ns if is_timed or buffer.pts == _NO_TIME else buffer.pts
        if place < self._highest - _BACK_NS or is_timed != self._is_timed:
            self._run, self._highest, self._is_timed = self._run + 1, -1, is_timed
        self._highest = max(self._highest, place)
        data = buffer.extract_dup(0, buffer.get_size())
        is_key = not buffer.has_flags(_DELTA)
        packet = Packet(data, self._stream, is_key, (self._run, place), captured_ns, is_timed)
        for ring in rings:
            ring.put(packet)

    def decoded(self, pts: int, captured_ns: int) -> None:
        """Note when an image was taken, once that is known."""
        for ring in self.rings:
            ring.timed((self._run, pts), captured_ns)

"""Probes on a camera's graph: they number the frames, time them, and say what became of them.

A probe runs on a streaming thread, so it never raises and does only a few dictionary operations.
None refers to its pipeline: a cycle through C would keep a graph that is long gone.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from pipeline.cameras.rate import RateLimit
from pipeline.config.camera import CameraOptions
from pipeline.gst.capture_time import CaptureTime
from pipeline.gst.view import Seen, tell_exif
from plugins.ledger import Ledger

Gst.init(None)

_log = logging.getLogger(__name__)
_REPEAT_NS = 1000  # closer than this to the last timestamp is that timestamp again
_OK, _DROP = Gst.PadProbeReturn.OK, Gst.PadProbeReturn.DROP
_NO_TIME: int = Gst.CLOCK_TIME_NONE


class FrameProbes:
    """The probes of one graph, and what they share.

    Args:
        ledger: the camera's account.
        limit: the rate limit, if there is one.
        keyframes_only: drop all but key frames before the decoder.
        paced: frames are held until they are due behind the decoder, so that this is their time.
        seen: the camera's view, which says the size that frames are shown in; None for their own.
        turn: how often a looped file was begun before.

    Attributes:
        arrived_s, decoded_s: monotonic time of the newest encoded image and decoded frame.
        times: when they were taken.
    """

    def __init__(
        self,
        ledger: Ledger,
        limit: RateLimit | None = None,
        keyframes_only: bool = False,
        paced: bool = False,
        seen: Seen | None = None,
    ) -> None:
        self.arrived_s: float | None = None
        self.decoded_s: float | None = None
        self.times = CaptureTime()
        self.turn = 0
        self._ledger = ledger
        self._limit = limit
        self._keyframes_only = keyframes_only
        self._paced = paced
        self._seen = seen or Seen(CameraOptions())
        self._size = (0, 0)
        self._last_pts = -1
        self._broken = False

    def install(self, pipeline: Any) -> None:
        """Puts the probes into a graph made by ``camera_graph``."""
        newest = pipeline.get_by_name("newest")
        entry = newest.get_static_pad("sink")
        self._add(entry, Gst.PadProbeType.EVENT_DOWNSTREAM, self._on_event)
        self._add(entry, Gst.PadProbeType.BUFFER, self._on_decoded)
        self._add(newest.get_static_pad("src"), Gst.PadProbeType.BUFFER, self._on_taken)
        decoder = pipeline.get_by_name("decode")
        if decoder is not None and decoder.get_static_pad("src") is not None:
            self.watch_decoder(decoder)

    def watch_decoder(self, decoder: Any) -> None:
        """Notes what arrives at a video decoder."""
        tell_exif(decoder)
        self._add(decoder.get_static_pad("sink"), Gst.PadProbeType.BUFFER, self._on_arrived)

    def watch_packets(self, depayloader: Any) -> None:
        """Notes the times of the RTP packets that become images."""
        self._add(depayloader.get_static_pad("sink"), Gst.PadProbeType.BUFFER, self._on_packet)

    def _add(self, pad: Any, kinds: Any, callback: Callable[[Any, Any], Any]) -> None:
        def guarded(pad: Any, info: Any) -> Any:
            try:
                return callback(pad, info)
            except Exception:  # noqa: BLE001  # it would end in C, unseen
                if not self._broken:
                    self._broken = True
                    _log.exception("camera %s: a probe failed", self._ledger.camera)
                return _OK

        pad.add_probe(kinds, guarded)

    def _on_packet(self, _pad: Any, info: Any) -> Any:
        self.times.packet(info.get_buffer())
        return _OK

    def _on_arrived(self, pad: Any, info: Any) -> Any:
        buffer = info.get_buffer()
        self.arrived_s = time.monotonic()
        if self._keyframes_only and buffer.has_flags(Gst.BufferFlags.DELTA_UNIT):
            return _DROP
        if (whole := self.times.arrived(buffer)) is None:
            return _OK
        pad.chain(whole)  # passes here again, as it is
        return _DROP

    def _on_event(self, _pad: Any, info: Any) -> Any:
        if self._seen.note(info.get_event()):
            self._size = self._seen.view.size
        return _OK

    def _on_decoded(self, pad: Any, info: Any) -> Any:
        buffer = info.get_buffer()
        self.decoded_s = time.monotonic()
        sent_pts: int = buffer.pts
        captured_ns, ts_source, arrived_ns = self.times.captured(buffer, self._paced)
        pts = self._unique(pad, sent_pts)
        if pts != sent_pts:
            buffer.pts = pts
        self._ledger.decoded(pts, captured_ns, ts_source, self._size, arrived_ns)
        if self._limit is not None and not self._limit.admits(pts):
            self._ledger.drop(pts, "rate")
            return _DROP
        self._ledger.admitted(pts)
        return _OK

    def _unique(self, pad: Any, pts: int) -> int:
        """The frame's PTS, which is its key from here on, so no two frames may share one.

        It is written without asking whether the buffer is writable: nobody but its decoder, which
        has let go of it, has seen it, and its pixels are left alone.
        """
        if pts == _NO_TIME:
            pts = max(self._last_pts + 1, pad.get_parent_element().get_current_running_time())
        else:
            pts += self.turn
            if 0 <= self._last_pts - pts < _REPEAT_NS:
                pts = self._last_pts + 1
        self._last_pts = pts
        return pts

    def _on_taken(self, _pad: Any, info: Any) -> Any:
        self._ledger.taken(info.get_buffer().pts)
        return _OK

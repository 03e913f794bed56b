"""Probes on a camera's graph: they number the frames, time them, and say what became of them.

A probe runs on a streaming thread, so it never raises and does only a few dictionary operations.
None refers to its pipeline: a cycle through C would keep a graph that is long gone.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from pipeline.cameras.damage import Damage, Late
from pipeline.cameras.rhythm import Rhythm
from pipeline.cameras.sharing import Lead
from pipeline.cameras.state import Progress
from pipeline.config.camera import CameraOptions
from pipeline.gst.capture_time import Captured, CaptureTime
from pipeline.gst.intake import Intake, JpegEnds
from pipeline.gst.nap import Come, Nap
from pipeline.gst.packets import PacketTap
from pipeline.gst.unseen import Unseen
from pipeline.gst.view import Seen
from pipeline.gst.watch import Watch
from plugins.bindings import set_time
from plugins.element import elements_of
from plugins.ledger import DAMAGED, Ledger
from plugins.line import Line
from plugins.rate import RateLimit

Gst.init(None)

_log = logging.getLogger(__name__)
_REPEAT_NS = 1000  # closer than this to the last timestamp is that timestamp again
_OK, _DROP = Gst.PadProbeReturn.OK, Gst.PadProbeReturn.DROP
_DELTA, _DISCONT = Gst.BufferFlags.DELTA_UNIT, Gst.BufferFlags.DISCONT
_CORRUPTED = Gst.BufferFlags.CORRUPTED
_NO_TIME: int = Gst.CLOCK_TIME_NONE
_TURNS = {Gst.EventType.CAPS, Gst.EventType.SEGMENT, Gst.EventType.EOS}  # no image overtakes them
_COPY = Gst.BufferCopyFlags
_SHALLOW = _COPY.FLAGS | _COPY.TIMESTAMPS | _COPY.META | _COPY.MEMORY
_WHOLE = 2**64 - 1  # the size of a buffer, whatever it is


class Exit(NamedTuple):
    """A frame as it leaves the decoder.

    Attributes:
        pts: in ns; no two frames in a row have the same.
        captured: when it was taken.
        damaged: the decoder made up a part of it.
    """

    pts: int
    captured: Captured
    damaged: bool


class FrameProbes:
    """The probes of one graph, and what they share.

    Args:
        ledger: the camera's account.
        limit: the rate limit, if there is one.
        keyframes_only: drop all but key frames before the decoder.
        paced: frames are held until they are due behind the decoder, so that this is their time.
        seen: the camera's view, which says the size that frames are shown in; None for their own.
        damaged: what to do with frames that the decoder made up in part.
        lead: those who are given each decoded frame too.
        tap: copies what comes to the decoder for clips.

    Attributes:
        times: when they were taken.
        turn: how often a looped file was begun before.
        frames: decoded in this turn.
        nap: keeps what need not be decoded yet; None where each image is decoded as it comes.
        sleeper: what the camera says of its sleep; None where it needs each frame.
    """

    def __init__(
        self,
        ledger: Ledger,
        limit: RateLimit | None = None,
        keyframes_only: bool = False,
        paced: bool = False,
        seen: Seen | None = None,
        damaged: Literal["mark", "drop", "keep"] = "mark",
        lead: Lead | None = None,
        tap: PacketTap | None = None,
    ) -> None:
        self._began_s: float | None = None
        self._packets_s: float | None = None
        self._arrived_s: float | None = None
        self._decoded_s: float | None = None
        self._rhythm = Rhythm()
        self._damage = Damage(believes=not keyframes_only)
        self._intake = Intake(self._on_data, self._damage.lost)
        self._damaged = damaged
        self._lead, self._tap = lead, tap or PacketTap(Line(ledger), None)
        self.nap: Nap | None = None
        self.sleeper: Watch | None = None
        self._passes = False  # what comes to the decoder has been looked at
        self._depayloader: Callable[[], Any] = lambda: None
        self._watches_packets, self._broken = True, False
        self._whole_s: float | None = None
        self._position = (0, time.monotonic())  # a PTS behind the pacing, and when it was there
        self.frames = 0
        self.times = CaptureTime()
        self.turn = 0
        self._ledger = ledger
        self._limit = limit
        self._keyframes_only = keyframes_only
        self._paced = paced
        self._seen = seen or Seen(CameraOptions())
        self._size = (0, 0)
        self._rests = False  # until a key frame comes that somebody looks at
        self._last_pts = -1
        self._jpeg_ends: JpegEnds | None = None

    def follow(self, pipeline: Any) -> None:
        """Puts into a graph the probe that it needs where ``admit`` is called for its frames."""
        self._unseen = Unseen(pipeline)
        newest = pipeline.get_by_name("newest")
        self._add(newest.get_static_pad("src"), Gst.PadProbeType.BUFFER, self._on_taken)

    def install(self, pipeline: Any) -> None:
        """Puts the probes into a graph made by ``camera_graph``."""
        self.follow(pipeline)
        entry = pipeline.get_by_name("newest").get_static_pad("sink")
        self._add(entry, Gst.PadProbeType.EVENT_DOWNSTREAM, self._on_event)
        self._add(entry, Gst.PadProbeType.BUFFER, self._on_decoded)
        for element in elements_of(pipeline):
            self._intake.watch(element)
        decoder = pipeline.get_by_name("decode")
        if decoder is not None and decoder.get_static_pad("src") is not None:
            self.watch_decoder(decoder)

    def heard(self, message: Any) -> None:
        """Take in what an element says, before what comes behind it."""
        self._intake.heard(message)

    def close(self) -> None:
        """Watch no more; what was seen can still be asked for."""
        self._intake.close()
        if self.nap is not None:
            self.nap.close()

    @property
    def naps(self) -> bool:
        """True while not each image is decoded as it comes."""
        return self.nap is not None and self.nap.is_on

    def watch(self, element: Any) -> None:
        """Notes what arrives at an element in front of a decoder, if that tells something."""
        self._intake.watch(element)

    def watch_decoder(self, decoder: Any) -> None:
        """Notes what arrives at a video decoder."""
        if "jpeg" in decoder.get_static_pad("sink").query_caps(None).to_string():
            self._jpeg_ends = JpegEnds()
        sink = decoder.get_static_pad("sink")
        self._add(sink, Gst.PadProbeType.BUFFER, self._on_arrived)
        self._add(sink, Gst.PadProbeType.EVENT_DOWNSTREAM, self._on_format)

    def watch_packets(self, depayloader: Any) -> None:
        """Notes the times of the RTP packets that become images, while that is of use."""
        self._depayloader = depayloader.weak_ref()
        self._watch_packets()

    def _watch_packets(self) -> None:
        self._watches_packets = True
        element = self._depayloader()
        if element is not None:
            pad = element.get_static_pad("sink")
            self._add(pad, Gst.PadProbeType.BUFFER, self._on_packet)

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
        self._watches_packets = self.times.needs_packets
        if not self._watches_packets:
            return Gst.PadProbeReturn.REMOVE
        self.times.packet(info.get_buffer())
        return _OK

    def progress(self, busy_s: float | None = None) -> Progress:
        """What came so far; ``busy_s``: monotonic time at which the stages were seen at work.

        Where not each image is decoded as it comes, those that are not count as frames: the camera
        is alive.
        """
        decoded_s = self._decoded_s
        if (self._keyframes_only or self._rests or self.naps) and decoded_s is not None:
            decoded_s = max(decoded_s, self._arrived_s or decoded_s)
        return Progress(
            self._arrived_s,
            decoded_s,
            began_s=self._began_s,
            packets_s=self._packets_s,
            keyed_s=self._damage.keyed_s,
            whole=self._whole_s is not None,
            damaged_s=(self._decoded_s or 0.0) - (self._whole_s or self._decoded_s or 0.0),
            limit_s=self._rhythm.limit_s,
            due_s=self._due_s() if self._paced else None,
            busy_s=busy_s,
            frames=self.frames,
        )

    def _due_s(self) -> float | None:
        """When the frame is due that is held behind the decoder, monotonic; None without one."""
        pts, at_s = self._position
        next_pts = self._damage.next_pts(pts)
        return None if next_pts is None else at_s + (next_pts - pts) / 1e9

    def _on_data(self) -> bool:
        self._packets_s = time.monotonic()
        self._began_s = self._began_s or self._packets_s
        return self._arrived_s is None

    def _on_arrived(self, pad: Any, info: Any) -> Any:
        buffer, nap = info.get_buffer(), self.nap
        if nap is not None and (held := nap.passing) is not None:
            self.times.arrived(buffer, held.at_ns)
            self._decodes(buffer, not buffer.has_flags(_DELTA), held.late)
            return _OK
        come = Come(buffer, time.monotonic(), time.time_ns())
        self._arrived_s = come.now_s
        key = not buffer.has_flags(_DELTA)
        if nap is not None and not self._passes:
            if nap.puts_off(come, key, self._damage.loss):
                return _DROP
            self._take_in(nap, pad)
        return self._arrives(pad, come, key)

    def _take_in(self, nap: Nap, pad: Any) -> None:
        """Take in what has waited for others."""
        for come in nap.waited():
            if self._arrives(pad, come, key=False) is _OK:
                self._pass(pad, come.buffer)

    def _arrives(self, pad: Any, come: Come, key: bool) -> Any:
        """Return whether an image that has come goes to the decoder now."""
        buffer, now_s, at_ns = come
        if self.times.needs_packets and not self._watches_packets:
            self._watch_packets()
        self._rests = self._tap.is_resting or (self._rests and not key)
        if (self._keyframes_only or self._rests) and not key:
            self._rhythm.came(now_s, buffer.pts)
            self._keep(pad, buffer, at_ns)
            return _DROP
        if self.nap is not None and not self._passes and self._naps(self.nap, pad, come, key):
            return _DROP
        if (whole := self.times.arrived(buffer, is_key=key)) is not None:
            self._pass(pad, whole)
            return _DROP
        self._keep(pad, buffer, at_ns)
        self._rhythm.came(now_s, buffer.pts)
        self._decodes(buffer, key)
        return _OK

    def _pass(self, pad: Any, buffer: Any) -> None:
        """Have an image pass again, as it is."""
        self._passes = True
        pad.chain(buffer)
        self._passes = False

    def _naps(self, nap: Nap, pad: Any, come: Come, key: bool) -> bool:
        """Return whether an image that has come is not decoded now."""
        buffer = come.buffer
        whole = self.times.timed(buffer, key)
        if not nap.takes(pad, come._replace(buffer=whole), key, self._damage.loss):
            if whole is not buffer:
                self._pass(pad, whole)
            return whole is not buffer
        self._damage.put_off(buffer.pts)
        self._keep(pad, whole, come.at_ns)
        self._rhythm.came(come.now_s, buffer.pts)
        nap.catch_up(pad.chain)
        return True

    def _decodes(self, buffer: Any, key: bool, late: Late | None = None) -> None:
        """Note an image that comes to the decoder now."""
        cut = self._jpeg_ends is not None and self._jpeg_ends.is_cut(buffer)
        discont = buffer.has_flags(_DISCONT)
        self._damage.arrived(buffer.pts, time.monotonic(), key, discont, cut, late)
        if self.nap is not None and self.nap.shift_ns:
            self.nap.shift(buffer)

    def _keep(self, pad: Any, buffer: Any, at_ns: int) -> None:
        if self._tap.rings:
            self._tap.arrived(pad, buffer, *self.times.of(buffer, at_ns))

    def _on_format(self, pad: Any, info: Any) -> Any:
        event = info.get_event()
        if self.nap is not None and event.type in _TURNS:
            self._take_in(self.nap, pad)
            self.nap.catch_up(pad.chain, at_once=True)
        self._tap.event(event)
        return _OK

    def _on_event(self, _pad: Any, info: Any) -> Any:
        event = info.get_event()
        self.note(event)
        if event.type == Gst.EventType.SEGMENT:
            self._position = (event.parse_segment().start, time.monotonic())
        return _OK

    def _on_decoded(self, pad: Any, info: Any) -> Any:
        buffer = info.get_buffer()
        sent_pts: int = buffer.pts if self.nap is None else self.nap.own_pts(buffer)
        now_s = time.monotonic()
        if self._arrived_s is None:  # nothing is decoded here
            self._rhythm.came(now_s, sent_pts)
        self._position = (sent_pts, now_s)
        flagged, discont = buffer.has_flags(_CORRUPTED), buffer.has_flags(_DISCONT)
        damaged = self._damage.decoded(sent_pts, flagged, discont)
        if self.nap is not None and self.nap.hides(pad, buffer, sent_pts, damaged):
            self.times.unseen(sent_pts)
            return _DROP
        captured = self.times.captured(buffer, sent_pts, self._paced)
        self._tap.decoded(sent_pts, captured.at_ns)
        if (pts := self._unique(pad, sent_pts)) != buffer.pts:
            set_time(buffer, "pts", pts)
        frame = Exit(pts, captured, damaged)
        if self._lead is not None:
            self._hand_on(self._lead, pad, buffer, frame)
        return _OK if self.admit(frame) else _DROP

    def _hand_on(self, lead: Lead, pad: Any, buffer: Any, frame: Exit) -> None:
        """Give a frame to each that follows, in a buffer of its own around the same pixels.

        Memory that several buffers hold is written by none: it is copied where one asks to write.
        """
        feeds = lead.feeds
        caps = pad.get_current_caps() if feeds else None
        for feed in feeds:
            copy = buffer.copy_region(_SHALLOW, 0, _WHOLE)
            feed.take(copy, caps, self._seen.orientation, frame)

    def note(self, event: Any) -> None:
        """Take in what an event says of the frames behind it."""
        if self._seen.note(event):
            self._size = self._seen.view.size
            if self.sleeper is not None:
                self.sleeper.sees(self._seen.view)

    def admit(self, frame: Exit) -> bool:
        """Enter a decoded frame into the account; return whether it is to be analysed."""
        pts, (captured_ns, ts_source, arrived_ns), damaged = frame
        self._decoded_s = time.monotonic()
        self.frames += 1
        damaged = damaged and self._damaged != "keep"
        if not damaged:
            self._whole_s = self._decoded_s
        self._ledger.decoded(pts, captured_ns, ts_source, self._size, arrived_ns, damaged)
        if damaged and self._damaged == "drop":
            self._ledger.drop(pts, DAMAGED)
            return False
        if self._limit is not None and not self._limit.admits(pts):
            self._ledger.drop(pts, "rate")
            return False
        self._ledger.admitted(pts)
        return True

    def _unique(self, pad: Any, pts: int) -> int:
        """The frame's PTS, which is its key from here on, so no two frames may share one.

        It is written without asking whether the buffer is writable: nobody but its decoder, which
        has let go of it, has seen it, and its pixels are left alone.
        """
        if pts == _NO_TIME:
            now = pad.get_parent_element().get_current_running_time()
            pts = max(self._last_pts + 1, 0 if now == _NO_TIME else now)  # none before it plays
        else:
            pts += self.turn
            if 0 <= self._last_pts - pts < _REPEAT_NS:
                pts = self._last_pts + 1
        self._last_pts = pts
        return pts

    def _on_taken(self, pad: Any, info: Any) -> Any:
        pts: int = info.get_buffer().pts
        self._ledger.taken(pts)
        return _DROP if self._unseen.replaces(pad, pts) else _OK

"""Plays what comes in bursts at its own pace, as live playlists do."""

from __future__ import annotations

from typing import Any

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst

_LATE_NS = 1_000_000_000  # a frame this late begins a new schedule, and the delay has grown
_JUMP_NS = 5_000_000_000  # the next frame is never due so far ahead: its timestamp has jumped


class Pacing:
    """Sets when an ``identity sync=true`` lets frames pass, from the first frame that comes on.

    Args:
        pace: the element.
    """

    def __init__(self, pace: Any) -> None:
        self._offset_ns: int | None = None
        pace.get_static_pad("sink").add_probe(Gst.PadProbeType.BUFFER, self._on_frame)

    def _on_frame(self, pad: Any, info: Any) -> Any:
        pace = pad.get_parent_element()
        segment = pad.get_sticky_event(Gst.EventType.SEGMENT, 0).parse_segment()
        frame_ns = segment.to_running_time(Gst.Format.TIME, info.get_buffer().pts)
        now_ns = pace.get_current_running_time()
        if Gst.CLOCK_TIME_NONE in {frame_ns, now_ns}:
            return Gst.PadProbeReturn.OK
        ahead_ns = frame_ns + (self._offset_ns or 0) - now_ns
        if self._offset_ns is None or not -_LATE_NS <= ahead_ns <= _JUMP_NS:
            self._offset_ns = now_ns - frame_ns
            pace.set_property("ts-offset", self._offset_ns)
        return Gst.PadProbeReturn.OK

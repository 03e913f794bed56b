"""The range of colours that an MP4 names, which GStreamer 1.22 reads from the wrong byte."""

from __future__ import annotations

from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstVideo", "1.0")
from gi.repository import Gst, GstVideo

from plugins.bindings import structure_of


def leave_range_open(graph: Any) -> None:
    """Have the MP4s of a graph name no range, so that the parser or decoder reads the stream's own.

    qtdemux takes every box ``colr`` for limited range, and what it says holds for all behind it. Of
    VP9 it reads another box, rightly.
    """
    graph.connect("deep-element-added", _on_element)


def _on_element(_graph: Any, _parent: Any, element: Any) -> None:
    factory = element.get_factory()
    if factory is not None and factory.get_name() == "qtdemux":
        element.connect("pad-added", _on_pad)


def _on_pad(_demultiplexer: Any, pad: Any) -> None:
    """Change the caps that the pad keeps; nothing has been pushed yet."""
    caps = pad.get_current_caps()
    shape = None if caps is None else structure_of(caps)
    if shape is None or shape.get_name() == "video/x-vp9":
        return
    text, said = shape.get_string("colorimetry"), GstVideo.VideoColorimetry()
    if text is None or not said.from_string(text):
        return
    said.range = GstVideo.VideoColorRange.UNKNOWN
    open_caps = caps.copy()
    open_caps.set_value("colorimetry", said.to_string())
    pad.store_sticky_event(Gst.Event.new_caps(open_caps))

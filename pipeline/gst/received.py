"""Notes the first packet that reaches a graph which a camera sends to."""

from __future__ import annotations

import time
from typing import Any

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from plugins.element import elements_of

_RECEIVERS = {"udpsrc", "srtsrc"}  # sdpdemux makes its own when it knows the addresses


class Received:
    """Whether anything has come yet.

    Args:
        pipeline: its receivers are watched, those that it will get too. It is not referred to.
    """

    def __init__(self, pipeline: Any) -> None:
        self._began_s = time.monotonic()
        self._has_come = False
        for element in elements_of(pipeline):
            self._add(pipeline, pipeline, element)
        pipeline.connect("deep-element-added", self._add)

    @property
    def silent_s(self) -> float | None:
        """Return the seconds since the beginning; None once something has come."""
        return None if self._has_come else time.monotonic() - self._began_s

    def _add(self, _pipeline: Any, _parent: Any, element: Any) -> None:
        factory = element.get_factory()
        if factory is not None and factory.get_name() in _RECEIVERS:
            element.get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, self._on_packet)

    def _on_packet(self, _pad: Any, _info: Any) -> Any:
        self._has_come = True
        return Gst.PadProbeReturn.REMOVE

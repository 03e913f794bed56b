"""Frames that no model looks at: an event takes a frame's place, and comes in its turn."""

from __future__ import annotations

from typing import Any

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from plugins.bindings import structure_of

_NAME = "mirante-skipped"


def skipped_event(key: int) -> Gst.Event:
    """Return the event that takes the place of a frame.

    Args:
        key: of the frame in the ledger.
    """
    structure = Gst.Structure.from_string(f"{_NAME},key=(guint64){key}")[0]
    return Gst.Event.new_custom(Gst.EventType.CUSTOM_DOWNSTREAM, structure)


def take_skipped(element: Any) -> None:
    """Have an element's ``skip`` called for each frame that comes as an event."""
    element.get_static_pad("sink").add_probe(Gst.PadProbeType.EVENT_DOWNSTREAM, _on_event)


def _on_event(pad: Any, info: Any) -> Any:
    event = info.get_event()
    if event.type == Gst.EventType.CUSTOM_DOWNSTREAM and event.has_name(_NAME):
        pad.get_parent_element().skip(structure_of(event).get_uint64("key")[1])
    return Gst.PadProbeReturn.OK

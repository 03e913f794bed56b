"""Demuxers that gave up unheard."""

from __future__ import annotations

from typing import Any

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst

from plugins.element import elements_of


def unheard(pipeline: Any) -> Any:
    """Return the error of a demuxer whose thread rests without a stream found, or None.

    While decodebin starts an element it takes errors for answers to its own question whether the
    element will do, and drops them if it will. A demuxer that pulls its data has a thread of its
    own by then: one that finds nothing within that moment is never heard of again.
    """
    for element in elements_of(pipeline):
        factory = element.get_factory()
        if factory is None or "Demux" not in factory.get_metadata("klass") or element.srcpads:
            continue
        if any(pad.get_task_state() == Gst.TaskState.PAUSED for pad in element.sinkpads):
            words, code = "This file contains no playable streams.", Gst.StreamError.FAILED
            error = GLib.Error.new_literal(Gst.StreamError.quark(), words, int(code))
            return Gst.Message.new_error(element, error, "")
    return None

"""Adapts to GStreamer's Python bindings, whose behaviour differs between versions."""

from __future__ import annotations

from typing import Any

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst


def structure_of(holder: Any, index: int = 0) -> Any:
    """Return a structure of caps, of an event or of a message, to be read.

    In 1.26 a structure of caps and of events comes in a wrapper that has none of its methods.

    Args:
        holder: Gst.Caps, Gst.Event or Gst.Message; the structure lasts no longer.
        index: which of caps; others have one.

    Returns:
        A Gst.Structure, or None for an event or message without.

    Raises:
        IndexError: the caps have no such structure.
    """
    if isinstance(holder, Gst.Caps):
        return holder[index]  # never in a wrapper
    found = holder.get_structure()
    if found is None or isinstance(found, Gst.Structure):
        return found
    with found as structure:
        return structure


def set_time(buffer: Gst.Buffer, field: str, time_ns: int) -> None:
    """Write a time into a buffer that a probe was given, which nobody else reads.

    From 1.26 on the bindings' own assignment refuses a buffer that is referred to twice, as any is
    while both GStreamer and Python hold it.

    Args:
        buffer: what its pad is about to hand on.
        field: ``pts``, ``dts`` or ``duration``.
        time_ns: nanoseconds.
    """
    _FIELDS[field](buffer, time_ns)


def _plain(field: str) -> Any:
    """Return what writes a field of a buffer as GStreamer declares it, below what Python adds."""
    declared = next(kind for kind in reversed(Gst.Buffer.__mro__) if field in vars(kind))
    return vars(declared)[field].fset


_FIELDS = {field: _plain(field) for field in ("pts", "dts", "duration")}


def post_error(element: Any, name: str, code: Any, error: Exception) -> None:
    """Post the error with which an element ends its stream.

    Args:
        element: that fails.
        name: its kind, for the words.
        code: ``Gst.StreamError.FAILED`` or its like.
        error: what was raised.
    """
    words = f"{name}: {type(error).__name__}: {error}"
    fault = GLib.Error.new_literal(type(code).quark(), words, int(code))
    element.post_message(Gst.Message.new_error(element, fault, ""))

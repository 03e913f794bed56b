"""Keeps decoders of libav from images in a format that GStreamer has no name for.

GStreamer 1.22 lets libav decode into GStreamer's buffers; asked for one of such a format, as FFV1
in grey of 12 bits, it reads a description that is not there, which mostly ends the process.
"""

from __future__ import annotations

from typing import Any

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from plugins.bindings import structure_of

Gst.init(None)

_OWN_BUFFERS = "direct-rendering"  # a property that decoders of libav alone have
_DEPTHS = {8, 10, 12}  # bits that all formats of H.264 and H.265 have names for, but grey


def guard_formats(decoder: Any) -> None:
    """Have a decoder that is new in a graph end with an error there; others are left alone.

    Parsers of H.264 and H.265 tell the format beforehand. Elsewhere libav decodes into buffers of
    its own, from which images are copied.
    """
    if decoder.find_property(_OWN_BUFFERS) is not None:
        pad = decoder.get_static_pad("sink")
        pad.add_probe(Gst.PadProbeType.EVENT_DOWNSTREAM, _on_event)


def unnamed(caps: Any) -> str:
    """Return why a stream of H.265 must not reach a decoder of libav; empty where it may.

    The depth of this one is told, so ``guard_formats`` lets it have GStreamer's buffers.
    """
    stream = structure_of(caps)
    depth = stream.get_value("bit-depth-luma") if stream.has_field("bit-depth-luma") else 8
    is_grey = stream.get_string("chroma-format") == "4:0:0"
    if stream.get_name() == "video/x-h265" and is_grey and depth > 8:
        return f"H.265 in grey of {depth} bits is not decoded here: expected 8 bits"
    return ""


def _on_event(pad: Any, info: Any) -> Any:
    event = info.get_event()
    if event.type == Gst.EventType.CAPS:
        is_told, bits = structure_of(event.parse_caps()).get_uint("bit-depth-luma")
        pad.get_parent_element().set_property(_OWN_BUFFERS, is_told and bits in _DEPTHS)
    return Gst.PadProbeReturn.OK

"""Keeps decoders of libav from images in a format that GStreamer has no name for.

GStreamer 1.22 lets libav decode into its own buffers; asked for one of such a format, as grey of 10
or 12 bits, it reads a description that is not there, which ends the process as often as not.
"""

from __future__ import annotations

from typing import Any

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst

Gst.init(None)

_OWN_BUFFERS = "direct-rendering"  # a property that decoders of libav alone have
_DEPTHS = {8, 10, 12}


def guard_formats(decoder: Any) -> None:
    """Have a decoder that is new in a graph refuse formats without a name; others are left alone.

    Parsers of H.264 and H.265 tell the format beforehand. Decoders of other codecs get buffers of
    their own, from which their images are copied: then they end with an error.
    """
    if decoder.find_property(_OWN_BUFFERS) is not None:
        pad = decoder.get_static_pad("sink")
        pad.add_probe(Gst.PadProbeType.EVENT_DOWNSTREAM, _on_event)


def format_of(caps: Any) -> tuple[str, int] | None:
    """Return subsampling, as 4:2:0, and bits of luma of an encoded video, where its caps say so."""
    shape = caps.get_structure(0)
    chroma, (is_there, bits) = shape.get_string("chroma-format"), shape.get_uint("bit-depth-luma")
    return (chroma, bits) if chroma and is_there else None


def has_name(chroma: str, bits: int) -> bool:
    """Return whether GStreamer knows images of this subsampling and depth from libav."""
    return bits == 8 if chroma == "4:0:0" else bits in _DEPTHS


def _on_event(pad: Any, info: Any) -> Any:
    event, decoder = info.get_event(), pad.get_parent_element()
    if event.type != Gst.EventType.CAPS:
        return Gst.PadProbeReturn.OK
    known = format_of(event.parse_caps())
    decoder.set_property(_OWN_BUFFERS, known is not None and has_name(*known))
    if known is not None and not has_name(*known):
        chroma, bits = known
        words = f"GStreamer has no format for {chroma} of {bits} bits; set 8 bits in the camera"
        kind = Gst.StreamError.CODEC_NOT_FOUND
        fault = GLib.Error.new_literal(Gst.StreamError.quark(), words, int(kind))
        decoder.post_message(Gst.Message.new_error(decoder, fault, ""))
    return Gst.PadProbeReturn.OK

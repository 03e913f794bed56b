"""``mirrgb``: raw video of any kind to RGB, in the colours that the video has."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstVideo", "1.0")
from gi.repository import GObject, Gst, GstVideo

from plugins.bindings import structure_of
from plugins.device.surfaces import SURFACES
from plugins.element import DECODED, IMAGES, pad_templates
from plugins.packed_rows import PackedRows
from plugins.to_rgb import ToRgb

_PARTS = ("capssetter", "videoscale", "videoconvert", "mirtorgb")
Gst.Element.register(None, _PARTS[-1], int(Gst.Rank.NONE), ToRgb)
_FULL, _LIMITED = 1, 2  # GstVideoColorRange
_MATRICES = GstVideo.VideoColorMatrix
_UNSAID = {_MATRICES.UNKNOWN, _MATRICES.RGB}


class MirRgb(Gst.Bin):  # type: ignore[misc]
    """Scales to the size that is asked for behind it, then converts.

    GStreamer guesses from each size what a stream does not say about its colours, so that scaling
    would change them; one that names a range but no matrix it takes for one that names nothing. So
    what is missing is written into the caps of the decoder before anything reads them.
    """

    __gstmetadata__ = (
        "Mirante RGB",
        "Filter/Converter/Video/Scaler/Colorspace",
        "Scales raw video and converts it to RGB in its own colours",
        "Mirante",
    )
    __gsttemplates__ = pad_templates(DECODED, IMAGES)

    thermal_range = GObject.Property(
        type=str,
        default="",
        nick="Thermal range",
        blurb='The part of 16-bit grey that is shown from black to white, as "LOW,HIGH", or "auto" '
        "to follow the image (empty = 0,65535)",
    )

    planes = GObject.Property(
        type=bool,
        default=False,
        nick="Planes",
        blurb="Scale I420 but do not convert it if all elements downstream take it so: each "
        "converts what it looks at, at the size it needs",
    )

    def __init__(self) -> None:
        super().__init__()
        parts = [Gst.ElementFactory.make(name, None) for name in _PARTS]
        parts[1].set_property("add-borders", False)  # a black row wherever a height was rounded
        for part in parts:
            self.add(part)
        for part, after in pairwise(parts):
            part.link(after)
        entry = parts[0].get_static_pad("sink")
        self._packed = PackedRows(entry)
        entry.add_probe(Gst.PadProbeType.EVENT_DOWNSTREAM, _on_event)
        self._scaler = parts[1].get_static_pad("sink")
        for name, pad in (("sink", entry), ("src", parts[-1].get_static_pad("src"))):
            self.add_pad(Gst.GhostPad.new_from_template(name, pad, self.get_pad_template(name)))

    def takes_surfaces(self) -> bool:
        """Return whether all elements downstream take frames in a GPU's memory. Its caps upstream
        do not say so: what completes them takes anything.
        """
        return not self._scaler.query_caps(SURFACES).is_empty()


def _on_event(pad: Any, info: Any) -> Any:
    """Tell the element behind the pad what it has to add to new caps."""
    event = info.get_event()
    if event.type == Gst.EventType.CAPS:
        colours = whole_colorimetry(event.parse_caps())
        added = f",colorimetry={colours}" if colours else ""
        setter = pad.get_parent_element()
        setter.set_property("caps", Gst.Caps.from_string(f"video/x-raw{added}"))
    return Gst.PadProbeReturn.OK


def whole_colorimetry(caps: Gst.Caps) -> str:
    """Return range and matrix of YUV or grey as GStreamer writes them; empty for RGB.

    Where the stream does not say: limited range, full for grey; BT.601 whatever the size, as FFmpeg
    and OpenCV read it, so that both streams of one camera are read alike. Transfer function and
    primaries are left out: no model is trained on images that they were converted of.
    """
    video = GstVideo.VideoInfo.new_from_caps(caps)
    if video is None:  # a format that GStreamer does not know either
        return ""
    flags, shape = video.finfo.flags, structure_of(caps)
    is_grey = bool(flags & GstVideo.VideoFormatFlags.GRAY)
    if not is_grey and not flags & GstVideo.VideoFormatFlags.YUV:
        return ""
    said = GstVideo.VideoColorimetry()
    text = shape.get_string("colorimetry")
    known = text is not None and said.from_string(text)
    span = _FULL if is_grey else _LIMITED
    if known and said.range:
        span = int(said.range)
    matrix = said.matrix if known and said.matrix not in _UNSAID else _MATRICES.BT601
    return f"{span}:{int(matrix)}:0:0"

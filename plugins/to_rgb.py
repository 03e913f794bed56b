"""The converter inside ``mirrgb``: planes of YUV, and grey, to RGB."""

from __future__ import annotations

from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstVideo", "1.0")
import numpy as np
from gi.repository import GLib, Gst, GstVideo

from plugins.bindings import post_error, structure_of
from plugins.colour.layout import Layout
from plugins.colour.thermal import Window
from plugins.device.surfaces import SURFACES, are_surfaces
from plugins.element import ERROR, IMAGES, OK, PLANES, READ, RGB, pad_templates

# Looked up once, as those of ``plugins.element`` are.
_WRITE = Gst.MapFlags.WRITE
_TAKEN = Gst.Caps.from_string(
    "video/x-raw,format={RGB,I420,Y42B,Y444,I420_10LE,I422_10LE,Y444_10LE,I420_12LE,I422_12LE,"
    "Y444_12LE,GRAY8,GRAY16_LE,GRAY16_BE}"
)
_OF_ANY_SIZE = Gst.Caps.from_string(
    f"{SURFACES.to_string()},width=[1,{GLib.MAXINT32}],height=[1,{GLib.MAXINT32}]"
)
_WHATEVER = Gst.Caps.from_string(f"{_TAKEN.to_string()};{SURFACES.to_string()}")


class ToRgb(GstVideo.VideoFilter):  # type: ignore[misc]
    """Converts by the matrix and range in its caps; what is RGB passes through, and so do planes
    where they are wanted. Surfaces pass through as they are: the size in their caps behind it is
    that at which stages get their pixels, scaled where they lie.
    """

    __gstmetadata__ = ("Mirante to RGB", "Filter/Converter/Video", "Converts to RGB", "Mirante")
    __gsttemplates__ = pad_templates(_WHATEVER, IMAGES)

    _layout: Layout

    def do_start(self) -> bool:
        """Called on the way from READY to PAUSED."""
        try:
            self._window = Window.of_text(self.get_parent().thermal_range)
        except ValueError as error:
            post_error(self, "mirrgb", Gst.ResourceError.SETTINGS, error)
            return False
        return True

    def do_transform_caps(self, direction: Any, caps: Gst.Caps, only: Gst.Caps | None) -> Gst.Caps:
        """Called to negotiate: the same size on the other side."""
        is_taken = direction == Gst.PadDirection.SINK
        other = Gst.Caps.new_empty()
        for index in range(caps.get_size()):
            shape, features = structure_of(caps, index).copy(), caps.get_features(index)
            if are_surfaces(caps, index):
                other.append(_of_any_size(shape))
            elif is_taken:
                if self.get_parent().planes:
                    planes = Gst.Caps.new_empty()
                    planes.append_structure_full(shape.copy(), PLANES.get_features(0).copy())
                    other.append(planes.intersect(PLANES))
                other.append(_without_colours(shape, RGB))
            elif features.is_equal(PLANES.get_features(0)):
                other.append_structure(shape)
            else:
                other.append(_without_colours(shape, _TAKEN))
        return other if only is None else only.intersect_full(other, Gst.CapsIntersectMode.FIRST)

    def do_fixate_caps(self, direction: Any, caps: Gst.Caps, other: Gst.Caps) -> Gst.Caps:
        """Called to choose among what is left: of surfaces the largest size that keeps the shape
        and enlarges nothing.
        """
        chosen = other.truncate()
        if direction == Gst.PadDirection.SINK and are_surfaces(chosen):
            chosen = _sized(structure_of(caps), chosen)
        return chosen.fixate()

    def do_set_info(self, taken: Gst.Caps, _taken: Any, given: Gst.Caps, _given: Any) -> bool:
        """Called when size or format changes."""
        if are_surfaces(taken):
            self.set_passthrough(True)
            return True
        self._layout = Layout(taken, self._window)
        width, height = self._layout.size
        is_given = given.is_subset(PLANES)
        self.set_passthrough(is_given or (self._layout.is_rgb and not width % 4))  # or rows differ
        row = GstVideo.VideoInfo.new_from_caps(given).stride[0]
        self._rgb = (height, width, 3), (row, 3, 1)
        return True

    def do_transform(self, buffer: Gst.Buffer, given: Gst.Buffer) -> Gst.FlowReturn:
        """Called for each frame."""
        try:
            with buffer.map(READ) as read, given.map(_WRITE) as written:
                shape, steps = self._rgb
                rgb = np.ndarray(shape, np.uint8, written.data, 0, steps)
                self._layout.convert(self._layout.planes(buffer, read.data), rgb)
        except Exception as error:  # noqa: BLE001  # must not be raised into GStreamer
            post_error(self, "mirrgb", Gst.StreamError.FAILED, error)
            return ERROR
        return OK

    def do_transform_frame(self, _frame: Any, _given: Any) -> Gst.FlowReturn:
        """Never called: a video filter without it is taken for one that works in place, but Python
        cannot read the pixels of what it is given.
        """
        return Gst.FlowReturn.NOT_SUPPORTED


def _without_colours(shape: Gst.Structure, there: Gst.Caps) -> Gst.Caps:
    """Return caps of the same size in the formats of ``there``."""
    for field in ("format", "colorimetry", "chroma-site"):
        shape.remove_field(field)
    sizes = Gst.Caps.new_empty()
    sizes.append_structure(shape)
    return sizes.intersect_full(there, Gst.CapsIntersectMode.FIRST)


def _of_any_size(shape: Gst.Structure) -> Gst.Caps:
    """Return caps of surfaces like one, of any size."""
    for field in ("width", "height", "pixel-aspect-ratio"):
        shape.remove_field(field)
    sizes = Gst.Caps.new_empty()
    sizes.append_structure_full(shape, SURFACES.get_features(0).copy())
    return sizes.intersect(_OF_ANY_SIZE)


def _sized(taken: Gst.Structure, given: Gst.Caps) -> Gst.Caps:
    """Return ``given`` with the size for images of ``taken``, with square pixels."""
    video = GstVideo.VideoInfo.new_from_caps(_caps_of(taken))
    width, height = video.width * video.par_n / video.par_d, video.height
    limits = [_most(structure_of(given), name) for name in ("width", "height")]
    scale = min(1.0, limits[0] / width, limits[1] / height)
    sized = given.copy()
    sized.set_value("width", max(1, round(width * scale)))
    sized.set_value("height", max(1, round(height * scale)))
    sized.set_value("pixel-aspect-ratio", Gst.Fraction(1, 1))
    return sized


def _caps_of(shape: Gst.Structure) -> Gst.Caps:
    caps = Gst.Caps.new_empty()
    caps.append_structure(shape.copy())
    return caps


def _most(shape: Gst.Structure, name: str) -> int:
    """Return the largest value that a field may have."""
    value = shape.get_value(name)
    return int(value.range.stop if isinstance(value, Gst.IntRange) else value)  # it is inclusive

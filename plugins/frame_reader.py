"""Frames of the buffers that stages get, whatever their pixels are kept as and where."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstVideo", "1.0")
from gi.repository import Gst, GstVideo

from plugins.colour.layout import Layout
from plugins.device.surfaces import are_surfaces, colours_of, surface_of
from plugins.frame import DeviceFrame, Frame, PlanarFrame

if TYPE_CHECKING:
    from plugins.line import Line

Read = Callable[[Gst.Buffer, memoryview, int], Frame]


def reader(caps: Gst.Caps, line: Line) -> Read:
    """Return what makes a frame of a buffer of fixed caps, its mapped data, and its key.

    Args:
        caps: RGB, planes, or surfaces.
        line: has what its elements share.
    """
    video = GstVideo.VideoInfo.new_from_caps(caps)
    size, stride = (video.width, video.height), video.stride[0]
    if are_surfaces(caps):
        colours = colours_of(caps)

        def of_surface(_buffer: Gst.Buffer, data: memoryview, key: int) -> Frame:
            planes, viewer = surface_of(data).planes(colours), line.viewers.of("stages")
            return DeviceFrame(planes, viewer, key, line.converted, size=size)

        return of_surface
    if not caps.get_features(0).contains("mirante:Planes"):
        return lambda _buffer, data, _key: Frame.of_rows(data, size, stride)
    layout = Layout(caps)

    def of_planes(buffer: Gst.Buffer, data: memoryview, key: int) -> Frame:
        return PlanarFrame(layout, partial(layout.planes, buffer, data), key, line.converted)

    return of_planes

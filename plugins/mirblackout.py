"""``mirblackout``: paints areas of RGB video black, for whatever comes behind it."""

from __future__ import annotations

import gi
import numpy as np

gi.require_version("Gst", "1.0")
gi.require_version("GstBase", "1.0")
from gi.repository import GObject, Gst, GstBase

from mirante.frame import FrameResult
from plugins.blackout.zones import WHOLE, Blackout, Edges, read_zones
from plugins.element import RGB, FrameHandler, max_failures, pad_templates


class MirBlackout(FrameHandler, GstBase.BaseTransform):  # type: ignore[misc]
    """Paints in place. A frame that cannot be painted is dropped and counted as failed.

    Attributes:
        area: the part of the whole image that the frames show; set on the streaming thread.
    """

    __gstmetadata__ = (
        "Mirante blackout",
        "Filter/Effect/Video",
        "Paints areas of each frame black",
        "Mirante",
    )
    __gsttemplates__ = pad_templates(RGB, RGB)

    zones = GObject.Property(
        type=str,
        default="",
        nick="Areas",
        blurb="Polygons as JSON, [[[x, y], …], …], x and y in 0..1 of the whole image as shown",
    )
    max_failures = max_failures()

    area: Edges = WHOLE
    blackout: Blackout

    def __init__(self) -> None:
        super().__init__()
        self.set_in_place(True)
        self.set_passthrough(False)  # so that buffers are writable here

    def prepare(self) -> None:
        """Reads the areas."""
        self.blackout = Blackout(read_zones(self.zones))

    def do_start(self) -> bool:
        """Called on the way from READY to PAUSED."""
        return self.start()

    def do_set_caps(self, caps: Gst.Caps, _out: Gst.Caps) -> bool:
        """Called when the size changes."""
        return self.read_caps(caps)

    def do_transform_ip(self, buffer: Gst.Buffer) -> Gst.FlowReturn:
        """Called for each frame."""
        return self.process(buffer)

    def handle(self, buffer: Gst.Buffer, key: int, result: FrameResult) -> bool:
        """Paints a frame."""
        del key, result
        width, height = self.size
        with buffer.map(Gst.MapFlags.READ | Gst.MapFlags.WRITE) as mapped:
            strides = (self.stride, 3, 1)
            pixels = np.ndarray((height, width, 3), np.uint8, mapped.data, strides=strides)
            self.blackout.apply(pixels, self.area)
        return True

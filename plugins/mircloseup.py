"""``mircloseup``: keeps each decoded image for stages that look at parts of it."""

from __future__ import annotations

from gi.repository import GObject, Gst, GstBase

from mirante.frame import FrameResult
from plugins.blackout.zones import read_zones
from plugins.closeup.closeup import Closeup
from plugins.closeup.parts import Parts
from plugins.colour.thermal import Window
from plugins.device.surfaces import are_surfaces
from plugins.element import DECODED, READ, FrameHandler, max_failures, pad_templates
from plugins.mirrgb import whole_colorimetry
from plugins.shown import Shown


class MirCloseup(FrameHandler, GstBase.BaseTransform):  # type: ignore[misc]
    """Stands in front of ``mirrgb``. What stages take of an image is turned and painted as shown.

    Attributes:
        view: how that is; set on the streaming thread.
    """

    __gstmetadata__ = (
        "Mirante close-up",
        "Filter/Video",
        "Keeps each decoded image for stages that look at parts of it at full resolution",
        "Mirante",
    )
    __gsttemplates__ = pad_templates(DECODED, DECODED)

    zones = GObject.Property(
        type=str,
        default="",
        nick="Areas",
        blurb="Polygons that are painted black, as those of mirblackout (empty = none)",
    )
    thermal_range = GObject.Property(
        type=str,
        default="",
        nick="Thermal range",
        blurb="The part of 16-bit grey that is shown, as that of mirrgb",
    )
    max_failures = max_failures()

    step_name = ""  # it does nothing of its own
    view: Shown
    _parts: Parts

    def __init__(self) -> None:
        super().__init__()
        self.set_passthrough(True)
        self.view = Shown([])

    def prepare(self) -> None:
        """Reads the areas, and what is shown of 16-bit grey."""
        self.view = Shown(read_zones(self.zones) if self.zones else [])
        self._thermal = Window.of_text(self.thermal_range)

    def do_start(self) -> bool:
        """Called on the way from READY to PAUSED."""
        return self.start()

    def do_stop(self) -> bool:
        """Lets the last image go."""
        self.line.closeup = None
        return True

    def do_set_caps(self, caps: Gst.Caps, _out: Gst.Caps) -> bool:
        """Called when size, format or colours change."""
        self.set_passthrough(True)
        self.read_caps(caps)
        self._is_needed = not are_surfaces(caps)  # a frame on the GPU is whole
        if colours := whole_colorimetry(caps):
            caps = caps.copy()
            caps.set_value("colorimetry", colours)
        self._parts = Parts(caps, self._thermal)
        return True

    def do_transform_ip(self, buffer: Gst.Buffer) -> Gst.FlowReturn:
        """Called for each frame."""
        return self.process(buffer)

    def known(self, key: int) -> FrameResult | None:
        """What is known of a frame that has not reached the first stage yet."""
        return self.ledger.waiting(key)

    def handle(self, buffer: Gst.Buffer, key: int, result: FrameResult) -> bool:
        """Keeps the image for as long as the frame is in the stages."""
        del key, result
        if not self._is_needed:
            self.line.closeup = None
            return True
        if self._parts.follows:
            with buffer.map(READ) as mapped:
                self._parts.follow(buffer, mapped.data)
        self.line.closeup = Closeup(buffer, self._parts, self.view)
        return True

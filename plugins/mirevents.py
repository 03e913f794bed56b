"""``mirevents``: reports what happened to tracked objects, with images, and counts."""

from __future__ import annotations

from gi.repository import GObject

from plugins.element import StageElement, pad_templates
from plugins.events.options import read_options
from plugins.events.stage import EventsStage


class MirEvents(StageElement):
    """Adds an event for each object that appears, changes and goes."""

    __gstmetadata__ = (
        "Mirante events",
        "Filter/Analyzer/Video",
        "Reports what happened to tracked objects, once each, with images, and counts over time",
        "Mirante",
    )
    __gsttemplates__ = pad_templates()

    options = GObject.Property(
        type=str,
        default="{}",
        nick="Options",
        blurb='JSON: {"update_s": 10, "nothing_seen": {CLASS: SECONDS}, "blur": [CLASS], …}',
    )

    def make_stage(self) -> EventsStage:
        """Takes up the objects of the camera's memory."""
        return EventsStage(read_options(self.options), self.line.memory, self.line.carriage)

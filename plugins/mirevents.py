"""``mirevents``: reports what happened to tracked objects, with images, and counts."""

from __future__ import annotations

from gi.repository import GObject, Gst

from mirante.frame import FrameResult
from plugins.element import READ, StageElement, frame_key, pad_templates
from plugins.events.options import read_options
from plugins.events.stage import EventsStage
from plugins.frame import Frame
from plugins.gate.gate import TRACKED


class MirEvents(StageElement):
    """Adds an event for each object that appears, changes and goes."""

    __gstmetadata__ = (
        "Mirante events",
        "Filter/Analyzer/Video",
        "Reports what happened to tracked objects, once each, with images, and counts over time",
        "Mirante",
    )
    __gsttemplates__ = pad_templates()

    remembers = True

    options = GObject.Property(
        type=str,
        default="{}",
        nick="Options",
        blurb='JSON: {"update_s": 10, "nothing_seen": {CLASS: SECONDS}, "blur": [CLASS], …}',
    )

    _seen: Gst.Buffer | None = None  # the last image that came; of a camera with a gate

    def handle(self, buffer: Gst.Buffer, key: int, result: FrameResult) -> bool:
        """Calls the stage, and keeps a whole image for frames that come without."""
        if result.looked and not result.damaged:
            self._seen = buffer
        return super().handle(buffer, key, result)

    def on_skipped(self, frame: Frame | None, result: FrameResult) -> FrameResult | None:
        """Tells what happens while nothing moves. The last image shows this moment as well. Where
        objects move as expected nothing is told until they are looked at.
        """
        assert self.stage is not None
        if result.skipped == TRACKED:
            return result
        if frame is not None:
            return self.stage(frame, result)
        if self._seen is None:
            return result
        with self._seen.map(READ) as mapped:
            seen = self.frame_of(self._seen, mapped.data, frame_key(self._seen))
            return self.stage(seen, result)

    def do_stop(self) -> bool:
        """Lets the image go."""
        self._seen = None
        return bool(super().do_stop())

    def make_stage(self) -> EventsStage:
        """Takes up the objects of the camera's memory."""
        return EventsStage(read_options(self.options), self.line.memory, self.line.carriage)

"""``mirzones``: counts tracked objects in zones and across lines."""

from __future__ import annotations

from gi.repository import GObject

from mirante.frame import FrameResult
from mirante.zones.scale import WHOLE, Edges
from plugins.element import StageElement, pad_templates
from plugins.frame import Frame
from plugins.gate.gate import TRACKED
from plugins.zones.stage import ZonesStage


class MirZones(StageElement):
    """Adds live counts, and an event for each object that enters, leaves or crosses.

    Attributes:
        area: the part of the whole image that the frames show; set on the streaming thread.
    """

    __gstmetadata__ = (
        "Mirante zones",
        "Filter/Analyzer/Video",
        "Counts tracked objects in zones and across lines",
        "Mirante",
    )
    __gsttemplates__ = pad_templates()

    remembers = True

    rules = GObject.Property(
        type=str,
        default="{}",
        nick="Zones and lines",
        blurb='JSON: {"zones": {NAME: {"polygon": [[x, y], …], …}}, "lines": {NAME: {"from": '
        '[x, y], "to": [x, y], …}}}, x and y in 0..1 of the whole image as shown',
    )

    _area: Edges = WHOLE

    @property
    def area(self) -> Edges:
        """The part of the whole image that the frames show."""
        return self._area

    @area.setter
    def area(self, area: Edges) -> None:
        self._area = area
        if isinstance(self.stage, ZonesStage):
            self.stage.area = area

    def on_skipped(self, frame: Frame | None, result: FrameResult) -> FrameResult:
        """Counts as ever: who is there stays where they are, and the time passes. What is only
        expected crosses no line; it has the counts of the last look.
        """
        if result.skipped == TRACKED:
            return result
        assert isinstance(self.stage, ZonesStage)
        return self.stage(frame, result)

    def make_stage(self) -> ZonesStage:
        """Reads the rules."""
        stage = ZonesStage(self.rules, self.line.memory, self.line.live)
        stage.area = self._area
        return stage

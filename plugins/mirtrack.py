"""``mirtrack``: gives each object a number that it keeps from frame to frame."""

from __future__ import annotations

from gi.repository import GObject

from plugins.element import StageElement, number, pad_templates
from plugins.track.options import TrackOptions
from plugins.track.stage import TrackStage

_DEFAULT = TrackOptions()


class MirTrack(StageElement):
    """Adds tracks to the objects of the frame's result."""

    __gstmetadata__ = (
        "Mirante tracking",
        "Filter/Analyzer/Video",
        "Gives each object a number that it keeps from frame to frame",
        "Mirante",
    )
    __gsttemplates__ = pad_templates()

    algorithm = GObject.Property(
        type=str, default="bytetrack", nick="Algorithm", blurb="The tracker: bytetrack"
    )
    per_class = GObject.Property(
        type=bool,
        default=_DEFAULT.per_class,
        nick="Per class",
        blurb="An object never changes its class",
    )
    min_score = number(
        _DEFAULT.min_score, 1.0, "Minimum score", "Boxes below this are left without a track"
    )
    new_score = number(
        _DEFAULT.new_score, 1.0, "Score of a new track", "Boxes below this begin no track"
    )
    lost_s = number(
        _DEFAULT.lost_s, 60.0, "Lost after", "Seconds after which a missing object is given up"
    )
    camera_motion = GObject.Property(
        type=bool,
        default=_DEFAULT.camera_motion,
        nick="Camera motion",
        blurb="The camera may move: what moves most objects alike is its movement",
    )
    still_s = number(
        _DEFAULT.still_s, 86400.0, "Still after", "Seconds without movement until it is still"
    )

    def make_stage(self) -> TrackStage:
        """Takes up the tracks of the camera's memory."""
        return TrackStage(self.algorithm, self.options(TrackOptions), self.line.memory)

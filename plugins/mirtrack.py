"""``mirtrack``: gives each object a number that it keeps from frame to frame."""

from __future__ import annotations

from gi.repository import GObject

from mirante.frame import FrameResult
from plugins.element import StageElement, number, pad_templates, thread_count, threads
from plugins.frame import Frame
from plugins.gate.gate import TRACKED
from plugins.track.appearance import Embedder
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

    remembers = True

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
    appearance = GObject.Property(
        type=str,
        default="",
        nick="Appearance",
        blurb="Embedding model that knows objects by their looks: a zoo name or path of a manifest "
        "(empty = none)",
    )
    appearance_on = GObject.Property(
        type=str,
        default="person",
        nick="Appearance of",
        blurb="The class of the objects it looks at",
    )
    appearance_distance = number(
        _DEFAULT.appearance_distance,
        2.0,
        "Appearance distance",
        "Maximum cosine distance between two looks of one object",
    )
    threads = threads()
    still_s = number(
        _DEFAULT.still_s, 86400.0, "Still after", "Seconds without movement until it is still"
    )

    def on_skipped(self, frame: Frame | None, result: FrameResult) -> FrameResult:
        """Tells the tracker that time has passed. Where its objects move as expected it
        hears of that with the next look.
        """
        del frame
        assert isinstance(self.stage, TrackStage)
        return result if result.skipped == TRACKED else self.stage.rest(result)

    def make_stage(self) -> TrackStage:
        """Takes up the tracks of the camera's memory, and loads the model that looks."""
        embedder = None
        if self.appearance:
            count = thread_count(self.threads)
            embedder = Embedder(self.appearance, self.appearance_on, count, self.line.models)
        return TrackStage(self.algorithm, self.options(TrackOptions), self.line.memory, embedder)

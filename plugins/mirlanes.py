"""``mirlanes``: lanes of a road as lines, from the planes of a segmenter."""

from __future__ import annotations

from gi.repository import GObject

from plugins.element import StageElement, number, pad_templates
from plugins.lanes.options import LaneOptions
from plugins.lanes.stage import LanesStage

_DEFAULT = LaneOptions()


class MirLanes(StageElement):
    """Adds the lanes to the frame's result, and an event when the camera leaves its lane."""

    __gstmetadata__ = (
        "Mirante lanes",
        "Filter/Analyzer/Video",
        "Turns the planes of a segmenter into lane lines, the camera's lane and drivable areas",
        "Mirante",
    )
    __gsttemplates__ = pad_templates()

    remembers = True

    lanes = GObject.Property(
        type=str,
        default=_DEFAULT.lanes,
        nick="Lanes",
        blurb="Planes that show lane lines: auto, a model's name, or planes with commas between",
    )
    drivable = GObject.Property(
        type=str,
        default=_DEFAULT.drivable,
        nick="Drivable area",
        blurb="Planes that show it: auto, planes with commas between, or empty for none",
    )
    departure = number(
        _DEFAULT.departure, 0.5, "Departure", "Share of a lane's width from its centre (0 = never)"
    )
    lane_width_m = number(
        _DEFAULT.lane_width_m, 20.0, "Lane width", "Width of a lane in metres (0 = unknown)"
    )
    fov_deg = number(
        _DEFAULT.fov_deg, 170.0, "Field of view", "Degrees of the image's width (0 = unknown)"
    )
    smooth_s = number(
        _DEFAULT.smooth_s, 5.0, "Smoothing", "Seconds over which small movements are smoothed"
    )

    def make_stage(self) -> LanesStage:
        """Takes up the lines of the camera's memory."""
        return LanesStage(self.options(LaneOptions), self.line.memory)

"""The options of a stage that turns planes into lanes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mirante.lane_planes import AUTO, LanePlanes
from plugins.lanes.ego import Scale


@dataclass(frozen=True, slots=True)
class LaneOptions:
    """The options of the stage, as its kind in a configuration describes them.

    Attributes:
        lanes: planes that show lane lines: ``auto``, a model's name, or names of planes.
        drivable: planes that show the drivable area: ``auto``, names of planes, or nothing.
        departure: share of a lane's width from its centre at which the camera departs from it;
            0 for no such events.
        lane_width_m: width of a lane in metres; 0 where that is unknown.
        fov_deg: angle that the whole width of the image shows; 0 where that is unknown.
        smooth_s: seconds over which small movements of lines are smoothed.
    """

    lanes: str = AUTO
    drivable: str = AUTO
    departure: float = 0.3
    lane_width_m: float = 0.0
    fov_deg: float = 0.0
    smooth_s: float = 0.1

    @property
    def planes(self) -> LanePlanes:
        """The planes that are read."""
        return LanePlanes(self.lanes, self.drivable)

    @property
    def scale(self) -> Scale:
        """Return the scale that makes metres of shares."""
        focal = 320.0 / math.tan(math.radians(self.fov_deg) / 2) if self.fov_deg else None
        return Scale(self.lane_width_m or None, focal)

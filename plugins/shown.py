"""Turn, crop and paint decoded images as the camera is to show them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.placement import Size
from plugins.blackout.zones import WHOLE, Blackout, Edges, Zone
from plugins.frame import Area


@dataclass(slots=True)
class Shown:
    """How the decoded images of a camera come to be as shown.

    Attributes:
        zones: polygons that are painted black, their corners in 0..1 of the whole image as shown.
        mirrored, quarters: a decoded image is mirrored left to right, then rotated clockwise by
            this many quarter turns.
        area: the part of the whole image that the frames show.
    """

    zones: list[Zone]
    mirrored: bool = False
    quarters: int = 0
    area: Edges = WHOLE

    def turn(self, mirrored: bool, quarters: int, area: Edges) -> None:
        """Take in how a decoded image comes to be as shown; arguments as the attributes."""
        self.mirrored, self.quarters, self.area = mirrored, quarters, area

    def decoded(self, area: Area, decoded: Size) -> Area:
        """Return where a part of the image as shown is in the decoded one of a size."""
        width, height = decoded[::-1] if self.quarters % 2 else decoded
        cuts = area[0], area[1], width - area[2], height - area[3]
        left, top, right, bottom = cuts[self.quarters :] + cuts[: self.quarters]
        if self.mirrored:
            left, right = right, left
        return left, top, decoded[0] - right, decoded[1] - bottom

    def shown(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a decoded image or a part of it, turned."""
        return np.rot90(rgb[:, ::-1] if self.mirrored else rgb, -self.quarters)

    def painted(self, rgb: NDArray[np.uint8], area: Area, decoded: Size) -> None:
        """Paint what nothing may see in a part of the image as shown, in place."""
        width, height = decoded[::-1] if self.quarters % 2 else decoded
        left, top, right, bottom = self.area
        x, y = (right - left) / width, (bottom - top) / height
        part = left + area[0] * x, top + area[1] * y, left + area[2] * x, top + area[3] * y
        Blackout(self.zones).apply(rgb, part)

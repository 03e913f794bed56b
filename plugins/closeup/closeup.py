"""The decoded image of a frame, from which stages take parts at full resolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plugins.closeup.parts import Parts
from plugins.element import READ
from plugins.frame import Area
from plugins.shown import Shown


@dataclass(slots=True)
class Closeup:
    """One frame.

    Attributes:
        buffer: the decoded image, held until the frame has left its stages.
        parts: reads its format.
        view: how it comes to be as shown.
    """

    buffer: Any
    parts: Parts
    view: Shown

    def crop(self, area: Area) -> NDArray[np.uint8]:
        """Return a part of the image as it is shown: (height, width, 3) uint8 RGB.

        Args:
            area: left, top, right, bottom in pixels of the source frame.

        Raises:
            ValueError: the video's format cannot be read in parts.
        """
        if not self.parts.is_readable:
            raise ValueError(
                f"parts of {self.parts.name} video cannot be read; expected a format whose samples "
                "are bytes or 16-bit words, as I420 or NV12"
            )
        with self.buffer.map(READ) as mapped:
            there = self.view.decoded(area, self.parts.size)
            rgb = self.view.shown(self.parts.rgb(self.buffer, mapped.data, there))
        if self.view.zones:
            rgb = np.array(rgb)
            self.view.painted(rgb, area, self.parts.size)
        return rgb

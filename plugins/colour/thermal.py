"""The part of 16-bit grey, as thermal cameras send it, that is shown in 8 bits."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

WHOLE = 0, 65535
_BEYOND = 0.5  # per cent of the pixels that may be darker than black, and brighter than white
_FOLLOW = 0.1  # of the way to what this frame needs: about a second at 10 frames/s
_NARROWEST = 64  # counts from black to white, so that an even wall does not become noise
_STEP = 4  # of the pixels each way are looked at


class Window:
    """From black to white.

    Args:
        low, high: the counts that become 0 and 255.
        follows: both are taken from the frames instead, and follow them slowly.

    Attributes:
        follows: as the argument.
    """

    def __init__(self, low: float, high: float, follows: bool = False) -> None:
        self._ends = np.array([low, high], np.float64)
        self.follows, self._started = follows, False

    @classmethod
    def of_text(cls, text: str) -> Window:
        """Return the window that ``LOW,HIGH`` or ``auto`` names; all of it where it is empty.

        Raises:
            ValueError: it is neither.
        """
        if text in ("", "auto"):
            return cls(*WHOLE, follows=text == "auto")
        low, _, high = text.partition(",")
        if not (low.isdecimal() and high.isdecimal() and 0 <= int(low) < int(high) <= WHOLE[1]):
            raise ValueError(
                f'thermal-range: "{text}"; expected auto, or LOW,HIGH from 0 to {WHOLE[1]}'
            )
        return cls(int(low), int(high))

    def shown(self, grey: NDArray[np.uint8 | np.uint16]) -> NDArray[np.uint8]:
        """Return (height, width) uint8 of uint16."""
        if self.follows:
            self._follow(grey)
        low, high = self._ends
        above = cv2.subtract(grey.astype(np.uint16, copy=False), round(low))  # never below 0
        return np.asarray(cv2.convertScaleAbs(above, alpha=255 / (high - low)), np.uint8)

    def held(self) -> Window:
        """Return what it shows now, which follows nothing."""
        return Window(*self._ends.tolist())

    def _follow(self, grey: NDArray[np.uint8 | np.uint16]) -> None:
        seen = np.percentile(grey[::_STEP, ::_STEP], [_BEYOND, 100 - _BEYOND])
        missing = max(0.0, _NARROWEST - (seen[1] - seen[0])) / 2
        wanted = np.clip(seen + np.array([-missing, missing]), *WHOLE)
        self._ends += (wanted - self._ends) * (_FOLLOW if self._started else 1.0)
        self._started = True

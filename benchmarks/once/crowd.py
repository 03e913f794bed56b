"""A crowd whose every crossing of a line is known, from the capture time of a frame alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mirante.events import Event

BOX = (40.0, 52.0)  # width and height of a walker, pixels
LANE = 55.0  # height of a lane
MARGIN = 40.0  # from which walkers come and to which they go


@dataclass(frozen=True, slots=True)
class Crowd:
    """Walkers one behind the other, in turns to the right in lanes of the upper half and to the
    left in lanes of the lower half, so that nobody comes where another has just gone; walker ``k``
    is on the line, in the middle of the image, ``k / rate`` seconds after the beginning.

    Attributes:
        crossings: number of walkers.
        rate: of them a second.
        seen_s: seconds for which each is seen before its crossing, and after it.
        width, height: of the image, pixels.

    Raises:
        ValueError: so many are there at once that they touch each other.
    """

    crossings: int
    rate: float
    seen_s: float
    width: int = 1280
    height: int = 720

    def __post_init__(self) -> None:
        most = (self.width / 2 - MARGIN) * self.lanes / (2 * BOX[0])
        if self.rate * self.seen_s > most:
            raise ValueError(
                f"--rate times --seen: expected up to {most:g}, got {self.rate * self.seen_s:g}: "
                "they would walk into each other"
            )

    def check_trackable(self, fps: int) -> None:
        """Check that a walker's box overlaps by half with that of the frame before.

        Raises:
            ValueError: they are too fast to be told from each other.
        """
        least_s = (self.width / 2 - MARGIN) / (fps * BOX[0] / 2)
        if self.seen_s < least_s:
            raise ValueError(
                f"--seen: expected {least_s:g} or more at --fps {fps}, got {self.seen_s:g}: no "
                "tracker could follow anyone who walks so fast; with --tracker none it is fine"
            )

    @property
    def lanes(self) -> int:
        """Number of lanes, even."""
        return 2 * int(self.height / LANE / 2)

    @property
    def speed(self) -> float:
        """Pixels a second."""
        return (self.width / 2 - MARGIN) / self.seen_s

    @property
    def seconds(self) -> float:
        """From the beginning until the last walker is gone."""
        return self.crossings / self.rate + self.seen_s

    def at(self, passed_s: float) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return who is seen some time after the beginning, and where: (n,) and (n, 4) pixels."""
        first = max(0, math.ceil((passed_s - self.seen_s) * self.rate))
        last = min(self.crossings - 1, math.floor((passed_s + self.seen_s) * self.rate))
        numbers = np.arange(first, last + 1, dtype=np.int64)
        way = np.where(numbers % 2, -1.0, 1.0)
        x = self.width / 2 + way * self.speed * (passed_s - numbers / self.rate)
        from_edge = (numbers % self.lanes // 2 + 0.5) * LANE
        y = np.where(numbers % 2, self.height - from_edge, from_edge)
        width, height = BOX
        edges = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        return numbers, np.stack(edges, axis=1).astype(np.float32)

    def who(self, event: Event, begun_s: float) -> int | None:
        """Return the walker that an event is of; None where it is of none.

        Args:
            event: with a box.
            begun_s: Unix seconds of the beginning.
        """
        if event.bbox is None:
            return None
        left, top, width, height = event.bbox
        y = top + height / 2
        is_below = y > self.height / 2
        lane = 2 * math.floor((self.height - y if is_below else y) / LANE) + is_below
        way = -1 if is_below else 1
        on_line_s = event.ts - begun_s - way * (left + width / 2 - self.width / 2) / self.speed
        number = lane + self.lanes * round((on_line_s * self.rate - lane) / self.lanes)
        return number if 0 <= number < self.crossings else None

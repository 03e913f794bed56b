"""Counts kept tracks again by other rules."""

from __future__ import annotations

from collections.abc import Iterable

from mirante.trails import read_trail
from mirante.zones import ZoneCounts
from mirante.zones.counter import Counter
from mirante.zones.presence import FORGET_S
from mirante.zones.rules import Rules, Zone
from mirante.zones.scale import WHOLE, Edges


def needs_masks(zone: Zone) -> bool:
    """Return whether a zone cannot be counted from boxes alone."""
    return bool(zone.mask) or zone.anchor == "mask"


class Recount:
    """Counts what the trails of a ``tracks`` stream show, which have no masks.

    Args:
        rules: zones and lines; those that need masks count nothing.
        camera: its name.
        area: the part of the whole image that the frames show.

    Attributes:
        frames: how many were counted.
        tracked: objects that they showed, over all.
        covered_s: seconds that they cover, without gaps in which objects are forgotten.
        counts: as of the newest; None before the first.
    """

    def __init__(self, rules: Rules, camera: str, area: Edges = WHOLE) -> None:
        self._counter, self._camera, self._area = Counter(), camera, area
        self._counter.adopt(rules)
        self._last_ns = 0
        self.frames = self.tracked = 0
        self.covered_s = 0.0
        self.counts: ZoneCounts | None = None

    def take(self, trails: Iterable[bytes]) -> None:
        """Take trails in, in the order of the stream.

        Raises:
            WireError: one cannot be read.
        """
        for data in trails:
            for result in read_trail(data).results(self._camera):
                self.counts = self._counter.count(result, self._area).counts
                self.frames += 1
                self.tracked += len(result.detections)
                passed_s = (result.captured_ns - self._last_ns) / 1e9
                if 0 <= passed_s <= FORGET_S:
                    self.covered_s += passed_s
                self._last_ns = result.captured_ns

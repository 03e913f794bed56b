"""The stage that counts tracked objects in zones and across lines."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from mirante.frame import FrameResult
from mirante.zones.counter import Counter
from mirante.zones.rules import read_rules
from mirante.zones.scale import WHOLE, Edges
from plugins.frame import Frame
from plugins.memory import Memory

PART = "zones"  # of the memory, and of what may change while the line runs


class ZonesStage:
    """Adds counts and events to the results of frames whose objects are tracked.

    Args:
        rules: zones and lines as JSON, see ``mirante.zones.rules``.
        memory: of the line; None for a stage by itself.
        live: of the line: other rules under ``zones`` take the place of ``rules``, from the next
            frame on.

    Attributes:
        area: the part of the whole image that the frames show; set on the streaming thread.

    Raises:
        ValueError: naming what is wrong with the rules.
    """

    area: Edges = WHOLE

    def __init__(
        self, rules: str, memory: Memory | None = None, live: Mapping[str, str] | None = None
    ) -> None:
        self._live = live if live is not None else {}
        self._text = self._live.get(PART, rules)
        parsed = read_rules(self._text)
        self._counter = (memory or Memory()).part(PART, Counter)
        self._counter.adopt(parsed)

    def __call__(self, frame: Frame | None, result: FrameResult) -> FrameResult:
        """Count one frame.

        Raises:
            UntrackedError: its objects have no tracks.
        """
        del frame
        started_ns = time.perf_counter_ns()
        if (text := self._live.get(PART, self._text)) is not self._text:
            self._counter.adopt(read_rules(text))
            self._text = text
        counted = self._counter.count(result, self.area)
        timings = {**result.timings, PART: (time.perf_counter_ns() - started_ns) / 1e6}
        events = (*result.events, *counted.events)
        return replace(result, zones=counted.counts, events=events, timings=timings)

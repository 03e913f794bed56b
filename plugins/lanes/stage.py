"""The stage that turns a segmenter's planes into the lanes of a road."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from mirante.events import Event
from mirante.frame import FrameResult
from mirante.lanes import Curve, EgoLane, LaneLine, Lanes, Points
from mirante.mask import Mask
from plugins.frame import Frame
from plugins.lanes.area import outlines
from plugins.lanes.ego import SURE, ego_of, numbers
from plugins.lanes.lines import look
from plugins.lanes.memory import LaneMemory
from plugins.lanes.options import LaneOptions
from plugins.lanes.road import NEAREST
from plugins.lanes.runs import Runs, joined, runs_of
from plugins.memory import Memory

UNIT = 640.0  # of a frame's width: lengths are compared in these
_POINTS = 1.16  # times its distance from the horizon is the next point nearer


class LanesStage:
    """Reads planes of the frame's masks and adds the frame's lanes, and an event for a departure.

    Args:
        options: of the stage.
        memory: the camera's; None for a stage by itself.
    """

    def __init__(self, options: LaneOptions | None = None, memory: Memory | None = None) -> None:
        self._options = options or LaneOptions()
        self._named, self._scale = self._options.planes, self._options.scale
        self._memory = (memory or Memory()).part("lanes", LaneMemory)

    def __call__(self, frame: Frame, result: FrameResult) -> FrameResult:
        """Add lanes. Those of a damaged frame are what was known before."""
        state = self._memory.state
        unit = UNIT / result.width
        width, height = UNIT, result.height * unit
        parts, areas = self._read(result)
        seen = None
        if not result.damaged and parts:
            runs = joined([part.scaled(unit) for part in parts])
            expected, deviation = self._memory.expected(result.captured_ns)
            seen = look(runs, (width, height), expected, deviation, state.lane_width)
        self._memory.update(seen, result.captured_ns, height, self._options.smooth_s)
        ego = ego_of(state, height, self._scale)
        if ego is not None:
            ego = ego._replace(curvature=ego.curvature * unit)
        lines = tuple(self._lines(unit, (result.width, result.height)))
        lanes = Lanes(lines, ego, tuple(areas))
        events = () if result.damaged else self._departures(ego, result)
        return replace(result, lanes=lanes, events=(*result.events, *events))

    def _read(self, result: FrameResult) -> tuple[list[Runs], list[Points]]:
        """Return runs of lines and outlines of areas, in pixels of the source frame."""
        runs: list[Runs] = []
        areas: list[Points] = []
        for mask in result.masks:
            lines = self._named.lines_of(mask.model, mask.labels)
            left, top, right, bottom = mask.xyxy
            across, down = (right - left) / mask.width, (bottom - top) / mask.height
            if lines:
                found = runs_of(_planes(mask, lines))
                runs.append(found.placed(left, top, across, down))
            for label in self._named.areas_of(mask.labels):
                scale = np.array([across, down], np.float32)
                corner = np.array([left, top], np.float32)
                plane = _planes(mask, [label])[0]
                areas += [outline * scale + corner for outline in outlines(plane)]
        return runs, areas

    def _lines(self, unit: float, size: tuple[int, int]) -> Iterator[LaneLine]:
        """Yield the lines that are known, in pixels of the source frame."""
        state = self._memory.state
        for line, number in zip(state.lines, numbers(state.lines, state.lane_width), strict=True):
            if state.road is None or line.confidence < SURE:
                continue
            a, b, c = line.curve
            curve = Curve(state.road[0] / unit, a / unit, b, c / unit**2)
            points = _points(curve, (line.nearest / unit, line.farthest / unit), size)
            if len(points) >= 2:
                yield LaneLine(points, curve, min(line.confidence, 1.0), number)

    def _departures(self, ego: EgoLane | None, result: FrameResult) -> Iterator[Event]:
        """Yield the event of a departure that begins."""
        departures, limit = self._memory.state.departures, self._options.departure
        if not departures.birth:
            departures.birth = result.epoch
        if ego is None or ego.confidence < SURE or not limit:
            return
        if side := departures.update(ego.offset, limit, result.captured_ns):
            yield result.new_event(
                "lane-departure",
                f"{departures.birth}-lane-departure-{departures.count}",
                direction=side,
                reason=f"the camera leaves its lane to the {side}",
            )


def _planes(mask: Mask, labels: list[str]) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    """Return planes of a mask, (c, height, width) uint8 of 0 and 1."""
    rows = [mask.labels.index(label) for label in labels]
    return np.unpackbits(mask.bits[rows], axis=-1, count=mask.width)


def _points(curve: Curve, rows: tuple[float, float], size: tuple[int, int]) -> Points:
    """Return points of a line inside the frame, from the nearest to the farthest row, (k, 2)."""
    width, height = size
    top = max(rows[1] - curve.horizon, NEAREST)
    bottom = min(rows[0], height) - curve.horizon
    if bottom <= top:
        return np.empty((0, 2), np.float32)
    steps = max(2, 1 + math.ceil(math.log(bottom / top) / math.log(_POINTS)))
    y = curve.horizon + bottom * (top / bottom) ** (np.arange(steps) / (steps - 1))
    x = curve.at(y)
    inside = np.flatnonzero((x >= 0) & (x <= width))
    if not len(inside):
        return np.empty((0, 2), np.float32)
    first = int(inside[0])
    if first:  # the line comes in from a side: it begins at the image's edge
        edge = 0.0 if x[first - 1] < 0 else float(width)
        share = (edge - x[first]) / (x[first - 1] - x[first])
        y[first - 1] += (1 - share) * (y[first] - y[first - 1])
        inside = np.concatenate([[first - 1], inside])
    return np.stack([curve.at(y[inside]), y[inside]], axis=1).astype(np.float32)

"""The lines of a road from frame to frame, by capture time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress

import msgspec
import numpy as np

from plugins.lanes.departure import Departures
from plugins.lanes.lines import Seen
from plugins.lanes.road import FREE, NEAREST, Road
from plugins.lanes.runs import Floats

_FORGET_S = 10.0  # without a frame: lines are no longer where they were
_HOLD_S = 0.4  # for which a line that is not seen is still there
_FADE_S = 0.25  # in which its confidence falls to a third
_STEP = 1.0  # of 1/640 of the width: what moves further is followed at once, less is smoothed
_STRAY = 2.0  # between a line that is not seen and the road: beyond that it is not known where
_TURNS_S = 0.3  # for which a bend is expected to change as it did,
_LEARN_S = 0.12  # and in which that is learnt
_SAME = 0.45  # of a lane's width: a line that moved further is another one
_NEW = 0.6  # of its confidence has a line when it is first seen among others
_STILL = np.array([3.0, 8.0, 60.0])  # deviations of h, a and c from those of the frame before,
_MOVING = np.array([15.0, 80.0, 600.0])  # and how much they grow in a second
_ROWS = np.geomspace(0.12, 1.0, 8)  # of those below the horizon, at which curves are compared
_AT_ROWS = np.stack([np.ones_like(_ROWS), _ROWS, 1.0 / _ROWS])  # (3, 8), for a, b and c
_FROM_ROWS = np.linalg.pinv(_AT_ROWS)

Curve = tuple[float, float, float]


class Line(msgspec.Struct, array_like=True):
    """A line as it is known, in units of 1/640 of the frame's width.

    Attributes:
        curve: a, b and c.
        farthest: the least row.
        confidence: in 0..1.
        seen_ns: Unix ns of the last frame that showed it.
        nearest: the greatest row.
    """

    curve: Curve
    farthest: float
    confidence: float
    seen_ns: int
    nearest: float = math.inf


class State(msgspec.Struct, array_like=True):
    """All that a successor needs.

    Attributes:
        departures: of the camera from its lane.
        at_ns: Unix ns of the last frame.
        road: h, a and c; None before the first one.
        road_ns: Unix ns of the last frame that showed it.
        lines: from left to right.
        lane_width: in heights of the camera; None while unknown.
        other_since_ns: since when the lane has had another width than that; 0 while it has not.
        turning: how fast the road's bend changes, in its unit a second.
    """

    departures: Departures
    at_ns: int = 0
    road: Curve | None = None
    road_ns: int = 0
    lines: list[Line] = []
    lane_width: float | None = None
    other_since_ns: int = 0
    turning: float = 0.0


_read_state = msgspec.msgpack.Decoder(State)


class LaneMemory:
    """The part ``lanes`` of a camera's memory.

    Args:
        saved: what a predecessor saved, or None.
    """

    def __init__(self, saved: bytes | None = None) -> None:
        self.state = State(Departures())
        if saved is not None:
            with suppress(msgspec.MsgspecError):  # of another version
                self.state = _read_state.decode(saved)

    def saved(self) -> bytes:
        """Return the state as msgpack, about 60 bytes a line."""
        return msgspec.msgpack.encode(self.state)

    def expected(self, at_ns: int) -> tuple[Road | None, Floats]:
        """Return the road that a frame is expected to show, and deviations of h, a and c."""
        if self.state.road is None:
            return None, FREE
        age_s = abs(at_ns - self.state.road_ns) / 1e9
        h, a, c = self.state.road
        c += self.state.turning * min(age_s, _TURNS_S)
        return Road(h, a, c), np.minimum(_STILL + age_s * _MOVING, FREE)

    def update(self, seen: Seen | None, at_ns: int, height: float, smooth_s: float) -> None:
        """Take in what a frame shows.

        Args:
            seen: None where it shows nothing, or is no evidence.
            at_ns: Unix ns of its capture.
            height: of the frame, in units of 1/640 of its width.
            smooth_s: seconds over which small movements are smoothed.
        """
        state = self.state
        age_s = (at_ns - state.at_ns) / 1e9
        if not -0.5 < age_s < _FORGET_S:
            state.lines, state.departures.since_ns = [], 0
        age_s, state.at_ns = max(age_s, 0.0), at_ns
        if seen is not None:
            gain = 1.0 - float(np.exp(-age_s / smooth_s)) if smooth_s else 1.0
            had_h = seen.road.h if state.road is None else state.road[0]
            state.lines = self._followed(seen, had_h, height, gain)
            self._turn(seen.road.c, at_ns)
            state.road, state.road_ns = (seen.road.h, seen.road.a, seen.road.c), at_ns
        kept = [line for line in state.lines if at_ns - line.seen_ns < _HOLD_S * 1e9]
        for line in kept:
            if line.seen_ns != at_ns:
                line.confidence *= float(np.exp(-age_s / _FADE_S))
        state.lines = sorted(kept, key=lambda line: line.curve[1])

    def _turn(self, c: float, at_ns: int) -> None:
        """Learn how fast the road's bend changes."""
        state, passed_s = self.state, (at_ns - self.state.road_ns) / 1e9
        if state.road is None or not 0 < passed_s < _TURNS_S:
            state.turning = 0.0
            return
        gain = 1.0 - math.exp(-passed_s / _LEARN_S)
        state.turning += gain * ((c - state.road[2]) / passed_s - state.turning)

    def _followed(self, seen: Seen, had_h: float, height: float, gain: float) -> list[Line]:
        """Return known lines, moved to where they are seen, and new ones."""
        state, road = self.state, seen.road
        bottom = height - road.h
        before = _moved([line.curve for line in state.lines], had_h - road.h, bottom)
        reach = _SAME * (state.lane_width or 2.0)
        left = dict(enumerate(state.lines))
        lines: list[Line] = []
        moves: list[float] = []
        for i in np.argsort(-seen.confidence).tolist():
            curve, confidence = seen.curves[i], float(seen.confidence[i])
            near = min(left, key=lambda j: abs(before[j, 1] - curve[1]), default=None)
            if near is not None and abs(before[near, 1] - curve[1]) < reach:
                known = left.pop(near)
                moves.append(curve[1] - before[near, 1])
                curve = _smoothed(before[near], curve, bottom, gain)
                confidence += (1.0 - max(gain, 0.3)) * (known.confidence - confidence)
            elif state.lines:
                confidence *= _NEW
            farthest, nearest = float(seen.farthest[i]), float(seen.nearest[i])
            lines.append(Line(_tuple(curve), farthest, confidence, state.at_ns, nearest))
        move = float(np.median(moves)) if moves else 0.0
        for j, known in left.items():  # not seen: it moves as the others do
            if _held(known, before[j] + (0.0, move, 0.0), road, height):
                lines.append(known)
        return lines


def _held(line: Line, moved: Floats, road: Road, height: float) -> bool:
    """Let a line that is not seen run along the road, as far as that is where it was seen.

    Args:
        line: to change.
        moved: (3,) its curve as it was seen, moved.
        road: as it is seen now.
        height: of the frame.

    Returns:
        Whether there is such a part.
    """
    line.curve = (road.a, float(moved[1]), road.c)
    rows = np.linspace(min(line.nearest, height), line.farthest, 12)
    strays = np.abs((line.curve - moved) @ _at(rows - road.h)) > _STRAY
    kept = int(strays.argmax()) if strays.any() else len(rows)
    line.farthest = float(rows[kept - 1])
    return kept > 0


def _at(below: Floats) -> Floats:
    """Return what a, b and c of a line are worth at distances from the horizon, (3, k)."""
    below = np.maximum(below, NEAREST)
    return np.stack([np.ones_like(below), below, 1.0 / below])


def _moved(curves: Sequence[Curve], shift: float, bottom: float) -> Floats:
    """Return the same lines, (n, 3), for a horizon that is ``shift`` higher than their own."""
    if not curves:
        return np.empty((0, 3))
    x = np.array(curves) @ _at(_ROWS * bottom - shift)
    moved: Floats = (x @ _FROM_ROWS) * (1.0, 1.0 / bottom, bottom)
    return moved


def _smoothed(before: Floats, now: Floats, bottom: float, gain: float) -> Floats:
    """Return the line between both: small steps are smoothed, large ones followed at once."""
    step = (now - before) * (1.0, bottom, 1.0 / bottom) @ _AT_ROWS
    small = 1.0 / (1.0 + (float(np.abs(step).max()) / _STEP) ** 2)
    smoothed: Floats = now - (1.0 - gain) * small * (now - before)
    return smoothed


def _tuple(curve: Floats) -> Curve:
    a, b, c = curve.tolist()
    return a, b, c

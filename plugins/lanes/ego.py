"""The lane that the camera is in, and the numbers of the lines beside it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from mirante.lanes import EgoLane
from plugins.lanes.memory import Line, State
from plugins.lanes.road import Road

SURE = 0.2  # confidence of a line, or of a lane for its events, below which it is not told
_AGREES = 0.3  # of a lane's width, between one frame's and what is known
_LEARN = 0.05  # of the difference is learnt from a frame
_AGAIN_S = 3.0  # for which a lane has to have another width, until that is believed
_UNSEEN = 0.6  # of its confidence has a lane of which one line is seen


class Scale(NamedTuple):
    """The scale that makes metres of shares.

    Attributes:
        lane_width_m: width of a lane; None while unknown.
        focal: focal length in units of 1/640 of the frame's width; None while unknown.
    """

    lane_width_m: float | None = None
    focal: float | None = None


def numbers(lines: list[Line], lane_width: float | None) -> list[int]:
    """Return the number of each line, which are ordered from left to right.

    A lane of two widths has a line that is not seen, which has a number too.
    """
    right = _counted([line.curve[1] for line in lines if line.curve[1] >= 0], lane_width)
    left = _counted([-line.curve[1] for line in reversed(lines) if line.curve[1] < 0], lane_width)
    return [*(-number for number in reversed(left)), *right]


def _counted(distances: list[float], lane_width: float | None) -> list[int]:
    counted: list[int] = []
    at = 0.0
    for distance in distances:
        if lane_width is None:
            step = 1
        elif counted:
            step = max(1, round((distance - at) / lane_width))
        else:  # the camera is somewhere in its lane: the first line is up to a width away
            step = max(1, math.ceil(distance / lane_width - 0.25))
        counted.append(counted[-1] + step if counted else step)
        at = distance
    return counted


def learn_width(state: State, width: float) -> None:
    """Take in the distance of the two lines beside the camera, in heights of the camera."""
    if state.lane_width is not None and abs(width / state.lane_width - 1) < _AGREES:
        state.lane_width += _LEARN * (width - state.lane_width)
        state.other_since_ns = 0
    elif state.lane_width is None or _has_lasted(state):
        state.lane_width, state.other_since_ns = width, 0
    elif not state.other_since_ns:
        state.other_since_ns = state.at_ns


def _has_lasted(state: State) -> bool:
    return state.other_since_ns > 0 and state.at_ns - state.other_since_ns > _AGAIN_S * 1e9


def ego_of(state: State, height: float, scale: Scale) -> EgoLane | None:
    """Return the lane that the camera is in; None where too little is known.

    Args:
        state: with the lines of a frame.
        height: of the frame, in units of 1/640 of its width, as is the curvature that is returned.
        scale: what makes metres of it.
    """
    left = [line for line in state.lines if line.curve[1] < 0][-1:]
    right = [line for line in state.lines if line.curve[1] >= 0][:1]
    if left and right:
        learn_width(state, right[0].curve[1] - left[0].curve[1])
    if state.road is None or state.lane_width is None or not left + right:
        return None
    beside = _beside(left + right, state.lane_width)
    if all(line.confidence < SURE for line in beside):
        return None
    return _lane(beside, state.lane_width, (Road(*state.road), height), scale)


def _beside(lines: list[Line], width: float) -> list[Line]:
    """Return those of the lines beside the camera that a lane of that width has."""
    if len(lines) == 2:
        measured = (lines[1].curve[1] - lines[0].curve[1]) / width
        if measured > 1 + _AGREES:  # the farther one is another lane's
            return [min(lines, key=lambda line: abs(line.curve[1]))]
        if measured < 1 - _AGREES:  # the weaker one is no line of the lane
            return [max(lines, key=lambda line: line.confidence)]
    return lines


def _lane(beside: list[Line], width: float, seen_from: tuple[Road, float], scale: Scale) -> EgoLane:
    road, height = seen_from
    distances = [line.curve[1] for line in beside]
    confidence = min(line.confidence for line in beside)
    if len(beside) == 2:
        width, centre = distances[1] - distances[0], sum(distances) / 2
    else:
        centre = distances[0] + (width / 2 if distances[0] < 0 else -width / 2)
        confidence *= _UNSEEN
    below = (height + min(line.farthest for line in beside)) / 2 - road.h
    bend = float(np.mean([line.curve[2] for line in beside]))
    slope = centre - bend / below**2
    metres, focal = scale
    return EgoLane(
        -centre / width,
        2 * bend / below**3 / (1 + slope**2) ** 1.5,
        confidence,
        None if metres is None else -centre / width * metres,
        # A curvature k has the bend k f² e / 2 from the height e, in which a lane has ``width``.
        None if metres is None or focal is None else 2 * bend * width / (focal**2 * metres),
    )

"""Planes as a segmenter makes them of lines on a flat road, and how far lanes are from those."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirante import FrameResult, Lanes, Mask
from mirante.lanes import Curve
from plugins.frame import Frame

WIDTH, HEIGHT, HORIZON = 640, 360, 150
EYE, FOCAL, LANE = 1.35, 520.0, 3.5  # metres above the road, pixels, metres
PAINT = 0.15
Plane = NDArray[np.bool_]


def line(place: float, bend: float = 0.0, heading: float = 0.0) -> Curve:
    """A line ``place`` metres to the right of the camera on a road of a bend in 1/m."""
    return Curve(HORIZON, WIDTH / 2 + heading, place / EYE, bend / 2 * FOCAL**2 * EYE)


def road(
    offset: float = 0.0, bend: float = 0.0, lines: Sequence[int] = (-1, 0, 1, 2)
) -> list[Curve]:
    """Lines that are a lane apart: the camera is ``offset`` of one from the centre of its lane."""
    return [line((i - 0.5 - offset) * LANE, bend) for i in lines]


def _middles() -> tuple[NDArray[Any], NDArray[Any]]:
    """y of each row's pixels, x of each column's."""
    return np.arange(HEIGHT)[:, None] + 0.5, np.arange(WIDTH)[None] + 0.5


def drawn(curve: Curve, dash_m: float = 0.0, at_m: float = 0.0, paint: float = PAINT) -> Plane:
    """(HEIGHT, WIDTH): the paint of a line; with ``dash_m`` half as much paint as gaps."""
    y, x = _middles()
    below = np.maximum(y - HORIZON, 1e-3)
    middle = curve.a + curve.b * below + curve.c / below
    plane = (abs(x - middle) <= np.maximum(paint / EYE * below, 1) / 2) & (y > HORIZON + 4)
    if dash_m:
        plane &= (FOCAL * EYE / below + at_m) % (3 * dash_m) < dash_m
    return np.asarray(plane)


def ground(z_m: tuple[float, float], x_m: tuple[float, float]) -> Plane:
    """(HEIGHT, WIDTH): a rectangle on the road, from near to far and from left to right."""
    y, x = _middles()
    below = np.maximum(y - HORIZON, 1e-3)
    z = FOCAL * EYE / below
    across = (x - WIDTH / 2) * z / FOCAL
    return np.asarray(
        (z >= z_m[0]) & (z <= z_m[1]) & (across >= x_m[0]) & (across <= x_m[1]) & (y > HORIZON)
    )


def result(
    planes: dict[str, Plane],
    at_s: float = 0.0,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    damaged: bool = False,
) -> FrameResult:
    """A frame whose mask has these planes."""
    region = (0.0, 0.0, float(size[0]), float(size[1]))
    mask = Mask.from_planes(tuple(planes), np.stack([*planes.values()]), region, "road")
    captured_ns = 1_700_000_000_000_000_000 + round(at_s * 1e9)
    return FrameResult(
        "car",
        round(at_s * 1000),
        1_700_000_000_000,
        captured_ns,
        "arrival",
        *size,
        masks=(mask,),
        damaged=damaged,
    )


def pixels() -> Frame:
    """A frame that nobody looks at."""
    return Frame(np.zeros((2, 2, 3), np.uint8))


def errors(lanes: Lanes | None, truth: Iterable[Curve], scale: float = 1.0) -> list[float]:
    """How far each line is at most from the true line nearest to it, in pixels of 640.

    Args:
        lanes: what was found.
        truth: in pixels of 640.
        scale: source pixels of one of these.
    """
    assert lanes is not None
    found = []
    for each in lanes.lines:
        x, y = each.points.astype(np.float64).T / scale
        far = y > HORIZON + 3
        found.append(min(float(abs(true.at(y[far]) - x[far]).max()) for true in truth))
    return found

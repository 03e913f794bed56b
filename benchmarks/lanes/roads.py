"""Roads drawn by chance: camera, lines, bends and paint differ from one to the next.

The ground is a plane before a pinhole camera, so that the truth is known: a line ``d`` metres to
the right on a road of bend ``k`` is ``x = a + d / e (y - h) + k f² e / 2 / (y - h)`` for the focal
length ``f`` and the camera's height ``e``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mirante.lanes import Curve

WIDTH, HEIGHT = 640, 360
Plane = NDArray[np.bool_]
LOWEST_PX = 4  # below the horizon, from which on paint is seen
_ROAD, _BRIGHT = 100.0, 215.0  # grey of asphalt and of paint


@dataclass(frozen=True, slots=True)
class Road:
    """A camera on a road.

    Attributes:
        focal: of the camera, in pixels.
        eye: its height in metres.
        horizon: its row.
        heading: the column of the vanishing point, from the middle of the image.
        lane_m: width of a lane.
        paint_m: width of a line.
        lines: of each, its place in lanes from the camera's left line, and the length of its
            dashes in metres, 0 where it is solid.
        speed: in m/s.
        weave: by how much of a lane the camera moves from side to side.
        phase: of that and of the bends, in radians.
    """

    focal: float
    eye: float
    horizon: float
    heading: float
    lane_m: float
    paint_m: float
    lines: tuple[tuple[int, float], ...]
    speed: float
    weave: float
    phase: float


@dataclass(frozen=True, slots=True)
class Condition:
    """A way in which drives are hard.

    Attributes:
        bend: the sharpest bend, in 1/m, from the left to the right in ``bend_s`` and back.
        bend_s: seconds of a bend and its opposite.
        change: the camera changes to the lane on the right in ``change`` seconds; 0 for never.
        missing: a line has no paint at all.
        seen: what a segmenter marks, of the paint and a random generator.
    """

    bend: float = 0.001
    bend_s: float = 8.0
    change: float = 0.0
    missing: bool = False
    seen: Callable[[Plane, np.random.Generator], Plane] | None = None


def _specks(paint: Plane, rng: np.random.Generator) -> Plane:
    return paint ^ (rng.random(paint.shape) < 0.02)


def _worn(paint: Plane, rng: np.random.Generator) -> Plane:
    coarse = (rng.random((HEIGHT // 8, WIDTH // 8)) < 0.5).astype(np.uint8)
    holes = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST) > 0
    return np.asarray(paint & ~holes)


def _photographed(light: float) -> Callable[[Plane, np.random.Generator], Plane]:
    """Return what is brighter than the road around it, in an image with that share of the light."""

    def seen(paint: Plane, rng: np.random.Generator) -> Plane:
        image = np.where(paint, _BRIGHT, _ROAD).astype(np.float32)
        image = cv2.GaussianBlur(image, (0, 0), 0.7) * light
        image += 6 * rng.standard_normal(image.shape, np.float32)  # of a gain
        grey = cv2.GaussianBlur(np.clip(image, 0, 255), (0, 0), 1)
        around = cv2.blur(grey, (41, 9))
        return np.asarray(grey - around > 0.25 * np.maximum(around, 8), np.bool_)

    return seen


CONDITIONS = {  # as in ``WORDS``
    "plain": Condition(),
    "missing": Condition(missing=True),
    "night": Condition(seen=_photographed(0.3)),
    "noise": Condition(seen=_specks),
    "worn": Condition(seen=_worn),
    "curve": Condition(bend=0.004, bend_s=10.0),
    "change": Condition(change=3.0),
}


def road(seed: int) -> Road:
    """Return a road by chance."""
    rng = np.random.default_rng(seed)
    left, right = -int(rng.integers(0, 2)), 1 + int(rng.integers(0, 3))
    dashes = [float(rng.choice([0.0, 3.0, 6.0])) for _ in range(left, right + 1)]
    return Road(
        focal=rng.uniform(420, 700),
        eye=rng.uniform(1.1, 1.9),
        horizon=rng.uniform(120, 190),
        heading=rng.uniform(-30, 30),
        lane_m=rng.uniform(3.0, 3.8),
        paint_m=rng.uniform(0.1, 0.2),
        lines=tuple(zip(range(left, right + 1), dashes, strict=True)),
        speed=rng.uniform(10, 35),
        weave=rng.uniform(0.02, 0.12),
        phase=rng.uniform(0, 2 * math.pi),
    )


class Drive:
    """A camera's way along a road.

    Args:
        seed: of the road, and of what is by chance on the way.
        condition: of the drive.
        seconds: its length.
    """

    def __init__(self, seed: int, condition: Condition, seconds: float) -> None:
        self.road, self._condition = road(seed), condition
        self._rng = np.random.default_rng([seed, 1])
        self._change_at_s = (seconds - condition.change) / 2
        painted = list(self.road.lines)
        if condition.missing:
            del painted[int(self._rng.integers(len(painted)))]
        self.painted = tuple(painted)

    def truth(self, at_s: float) -> list[Curve]:
        """Return the lines that have paint, from left to right."""
        return [self._curve(place, at_s) for place, _ in self.painted]

    def offset(self, at_s: float) -> float:
        """Return the camera's offset from its lane's centre, as a share of the lane's width."""
        return (self._lanes(at_s) + 0.5) % 1 - 0.5

    def plane(self, at_s: float) -> Plane:
        """Return what a segmenter marks, (HEIGHT, WIDTH)."""
        paint = np.zeros((HEIGHT, WIDTH), np.bool_)
        for place, dash_m in self.painted:
            paint |= self._line(self._curve(place, at_s), dash_m, at_s)
        seen = self._condition.seen
        return paint if seen is None else seen(paint, self._rng)

    def _lanes(self, at_s: float) -> float:
        """Return the camera's place in lanes from the centre of its first one."""
        swing = self.road.weave * math.sin(1.1 * at_s + self.road.phase)
        if not self._condition.change:
            return swing
        done = min(max((at_s - self._change_at_s) / self._condition.change, 0.0), 1.0)
        return swing + (1 - math.cos(math.pi * done)) / 2

    def _curve(self, place: int, at_s: float) -> Curve:
        here, turn = self.road, 2 * math.pi * at_s / self._condition.bend_s
        bend = self._condition.bend * math.sin(turn + here.phase)
        right_m = (place - 0.5 - self._lanes(at_s)) * here.lane_m
        middle = WIDTH / 2 + here.heading
        return Curve(here.horizon, middle, right_m / here.eye, bend / 2 * here.focal**2 * here.eye)

    def _line(self, curve: Curve, dash_m: float, at_s: float) -> Plane:
        y, x = np.arange(HEIGHT)[:, None] + 0.5, np.arange(WIDTH) + 0.5
        below = np.maximum(y - curve.horizon, 1e-3)
        middle = curve.a + curve.b * below + curve.c / below
        wide = np.maximum(self.road.paint_m / self.road.eye * below, 1)
        line = (abs(x - middle) <= wide / 2) & (below > LOWEST_PX)
        if dash_m:
            ahead = self.road.focal * self.road.eye / below + self.road.speed * at_s
            line &= ahead % (2.5 * dash_m) < dash_m
        return np.asarray(line)

"""A made-up street whose truth is known: who is where at any time, and how much of them shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]
_GRID = (np.arange(8) + 0.5) / 8  # where a box is looked at, across and down
_FAR = 0.35  # height of somebody at the upper edge of the image, of that at the lower
_LEAN = 0.4  # width of a person, in heights
_STEPS_HZ = 1.8


@dataclass(frozen=True, slots=True)
class Walker:
    """Somebody who walks along a line, and may stop on it once.

    Attributes:
        number: of nobody else.
        start: x, y of the feet at ``begins_s``, in pixels.
        speed: x, y in pixels a second.
        height: in pixels at the lower edge of the image; farther up it is less.
        begins_s, ends_s: when somebody is there at all.
        stops_s, rests_s: when somebody stops, after ``begins_s``, and for how long.
        turns_s: when somebody goes another way, after ``begins_s``.
        then: x, y in pixels a second from there on.
        sway: how far somebody strays from the line, in pixels.
        phase: of strides and sway.
    """

    number: int
    start: tuple[float, float]
    speed: tuple[float, float]
    height: float = 200.0
    begins_s: float = 0.0
    ends_s: float = np.inf
    stops_s: float = np.inf
    rests_s: float = 0.0
    turns_s: float = np.inf
    then: tuple[float, float] = (0.0, 0.0)
    sway: float = 0.0
    phase: float = 0.0

    def box(self, at_s: float, image_height: int) -> tuple[float, float, float, float]:
        """Return left, top, right, bottom at a time."""
        since = at_s - self.begins_s
        walked = since - min(max(since - self.stops_s, 0.0), self.rests_s)
        turned = max(walked - self.turns_s, 0.0)
        x = self.start[0] + self.speed[0] * (walked - turned) + self.then[0] * turned
        y = self.start[1] + self.speed[1] * (walked - turned) + self.then[1] * turned
        x += self.sway * np.sin(walked * 0.7 + self.phase)
        y += self.sway * 0.3 * np.sin(walked * 0.9 + 2 * self.phase)
        height = self.height * (_FAR + (1 - _FAR) * max(y, 0.0) / image_height)
        stride = np.sin(2 * np.pi * _STEPS_HZ * walked + self.phase)
        width = height * _LEAN * (1 + 0.15 * stride)
        return x - width / 2, y - height, x + width / 2, y


class Truth(NamedTuple):
    """The walkers that a frame shows.

    Attributes:
        numbers: (n,) int64 of the walkers.
        xyxy: (n, 4) float64, whole boxes cut at the image's edges.
        shown: (n,) share of each that nothing nearer hides, in 0..1.
        shown_xyxy: (n, 4), the box around what shows.
    """

    numbers: NDArray[np.int64]
    xyxy: Boxes
    shown: NDArray[np.float64]
    shown_xyxy: Boxes


@dataclass(frozen=True, slots=True)
class World:
    """Walkers, what stands before them, and a camera that may move.

    Attributes:
        walkers: in any order.
        pillars: left and right edges in pixels of what hides all behind it.
        size: width and height of the image.
        swing_px: how far the image moves to either side as the camera turns there and back.
        swing_hz: how often it does.
    """

    walkers: Sequence[Walker]
    pillars: Sequence[tuple[float, float]] = ()
    size: tuple[int, int] = (1280, 720)
    swing_px: float = 0.0
    swing_hz: float = 0.15

    def shift(self, at_s: float) -> tuple[float, float]:
        """Return by how many pixels the camera's movement moves the image at a time."""
        turn = 2 * np.pi * self.swing_hz * at_s
        return self.swing_px * np.sin(turn), 0.1 * self.swing_px * np.sin(3.1 * turn)

    def truth(self, at_s: float) -> Truth:
        """Return who is in the image at a time: those of whom a quarter of the box is inside it."""
        width, height = self.size
        there = [each for each in self.walkers if each.begins_s <= at_s < each.ends_s]
        whole = np.array([each.box(at_s, height) for each in there]).reshape(-1, 4)
        dx, dy = self.shift(at_s)
        whole += (dx, dy, dx, dy)
        edges = np.array([width, height, width, height], np.float64)
        cut = np.clip(whole, 0, edges)
        seen = _area(cut) > 0.25 * _area(whole)
        numbers = np.array([each.number for each in there], np.int64)[seen]
        whole, cut = whole[seen], cut[seen]
        shown, around = self._shown(cut, whole[:, 3], dx)
        return Truth(numbers, cut, shown, around)

    def _shown(self, boxes: Boxes, feet: Boxes, dx: float) -> tuple[NDArray[np.float64], Boxes]:
        """Return the share of each box that nothing nearer hides, and the box around it."""
        left, top, right, bottom = boxes.T[:, :, None]
        x = (left + (right - left) * np.tile(_GRID, len(_GRID)))[:, :, None]
        y = (top + (bottom - top) * np.repeat(_GRID, len(_GRID)))[:, :, None]
        over_x = (x >= boxes[:, 0]) & (x <= boxes[:, 2])
        over_y = (y >= boxes[:, 1]) & (y <= boxes[:, 3])
        nearer = feet[None] > feet[:, None]
        hidden = (over_x & over_y & nearer[:, None]).any(axis=2)
        for begin, end in self.pillars:
            hidden |= ((x >= begin + dx) & (x <= end + dx))[:, :, 0]
        shows = ~hidden
        step_x, step_y = (boxes[:, 2] - boxes[:, 0]) / 16, (boxes[:, 3] - boxes[:, 1]) / 16
        x, y = x[:, :, 0], y[:, :, 0]
        around = np.stack(
            [
                np.where(shows, x, np.inf).min(axis=1, initial=np.inf) - step_x,
                np.where(shows, y, np.inf).min(axis=1, initial=np.inf) - step_y,
                np.where(shows, x, -np.inf).max(axis=1, initial=-np.inf) + step_x,
                np.where(shows, y, -np.inf).max(axis=1, initial=-np.inf) + step_y,
            ],
            axis=1,
        )
        return shows.mean(axis=1), around


def street(
    seed: int,
    count: int = 8,
    seconds: float = 30.0,
    size: tuple[int, int] = (1280, 720),
    pillars: int = 1,
    swing_px: float = 0.0,
) -> World:
    """Return a street with about ``count`` people in the image at any time.

    Args:
        seed: the same for the same street.
        count: of people.
        seconds: how long there are people.
        size: width and height of the image.
        pillars: that hide people.
        swing_px: how far the image moves as the camera turns.
    """
    random = np.random.default_rng(seed)
    width = size[0]
    stays_s = 12.0  # in the image, of most
    total = max(count, round(count * (seconds + stays_s) / stays_s))
    walkers: list[Walker] = []
    while len(walkers) < total:
        number = len(walkers) + 1
        walkers.append(_walker(random, number, size, random.uniform(-stays_s, seconds)))
        if random.random() < 0.3:
            walkers.append(_beside(random, walkers[-1], number + 1))
    at = random.uniform(0.2, 0.8, pillars) * width
    wide = random.uniform(0.03, 0.09, pillars) * width
    edges = [(float(x - w / 2), float(x + w / 2)) for x, w in zip(at, wide, strict=True)]
    return World(walkers, edges, size, swing_px)


def _walker(
    random: np.random.Generator, number: int, size: tuple[int, int], begins_s: float
) -> Walker:
    """Return somebody who comes in from the left or the right; some stop, half turn."""
    width, height = size
    side = 1 if random.random() < 0.5 else -1
    feet = random.uniform(0.35, 0.98) * height
    pace = random.uniform(0.08, 0.17) * width * (_FAR + (1 - _FAR) * feet / height)
    stops, turns = random.random() < 0.25, random.random() < 0.5
    angle, faster = random.normal(0, 0.5), random.uniform(0.5, 1.6)
    return Walker(
        number,
        (-0.1 * width if side > 0 else 1.1 * width, feet),
        (side * pace, random.normal(0, 0.15) * pace),
        height * random.uniform(0.36, 0.44),
        begins_s,
        stops_s=random.uniform(2, 8) if stops else np.inf,
        rests_s=random.uniform(1, 6),
        turns_s=random.uniform(2, 8) if turns else np.inf,
        then=(side * pace * faster * np.cos(angle), 0.5 * pace * faster * np.sin(angle)),
        sway=random.uniform(0, 0.02) * width,
        phase=random.uniform(0, 6.28),
    )


def _beside(random: np.random.Generator, other: Walker, number: int) -> Walker:
    """Return somebody who walks with another one."""
    x, y = other.start
    return replace(
        other,
        number=number,
        start=(x + random.normal(0, 0.2) * other.height, y + random.normal(0, 0.1) * other.height),
        height=other.height * random.uniform(0.9, 1.1),
        phase=random.uniform(0, 6.28),
    )


def _area(boxes: Boxes) -> Boxes:
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))

"""Small grey scenes with known motion, drawn frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 160, 90
Grey = NDArray[np.float32]
Draw = Callable[[Grey, float, np.random.Generator], Grey]
Boxes = list[tuple[float, float, float, float]]


def still(image: Grey, _at_s: float, _random: np.random.Generator) -> Grey:
    """Draw nothing."""
    return image


@dataclass(frozen=True)
class Walker:
    """Somebody who crosses the image.

    Attributes:
        start_s: when they come in from the left.
        speed: pixels a second.
        contrast: grey levels against what is behind.
        top: of the image, in pixels.
        back_s: what somebody comes again after.
        wide, tall: in pixels.
    """

    start_s: float
    speed: float = 20.0
    contrast: float = 40.0
    top: int = 60
    back_s: float = 1e9
    wide: float = 3.0
    tall: int = 5

    def at(self, at_s: float) -> Boxes:
        """Return where they are, in 0..1; nothing while they are not there."""
        left = (at_s - self.start_s) % self.back_s * self.speed
        if at_s < self.start_s or left >= WIDTH - self.wide:
            return []
        top, bottom = self.top / HEIGHT, (self.top + self.tall) / HEIGHT
        return [(left / WIDTH, top, (left + self.wide) / WIDTH, bottom)]

    def __call__(self, image: Grey, at_s: float, _random: np.random.Generator) -> Grey:
        """Draw them; whoever is between two pixels is in both."""
        for left, *_ in self.at(at_s):
            columns = np.arange(WIDTH + 1)
            edges = np.clip(columns, left * WIDTH, left * WIDTH + self.wide)
            image[self.top : self.top + self.tall] += self.contrast * np.diff(edges)
        return image


@dataclass(frozen=True)
class Scene:
    """What is drawn over a street that does not move, and the sensor's noise.

    Attributes:
        draw: draws, one after the other.
        noise: standard deviation of a pixel of the camera's, of which four make one here.
        light: of the street; 0.1 at night.
        seed: of the street, the noise and what is drawn by chance.
    """

    draw: tuple[Draw, ...] = (still,)
    noise: float = 4.0
    light: float = 1.0
    seed: int = 7

    def frames(
        self, seconds: float, fps: float = 10.0
    ) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        """Yield each frame with its time in seconds."""
        random = np.random.default_rng(self.seed)
        street = _street(random) * self.light + 16
        grain = random.normal(0, self.noise / 2, (16, HEIGHT, WIDTH)).astype(np.float32)
        twice = np.tile(grain, (1, 2, 2))  # of which any part of that size is the grain, shifted
        for number in range(int(seconds * fps)):
            image = street.copy()
            for draw in self.draw:
                image = draw(image, number / fps, random)
            up, left = random.integers(0, 90, 2)
            top, first = HEIGHT - up, WIDTH - left
            image += twice[number % 16, top : top + HEIGHT, first : first + WIDTH]
            yield number / fps, np.clip(image, 0, 255).astype(np.uint8)


def gains(image: Grey, at_s: float, _random: np.random.Generator) -> Grey:
    """Draw the steps of a camera's automatic gain, one every 6 s."""
    return image * (1.0, 1.15, 0.8, 1.3, 0.7)[int(at_s / 6) % 5]


def clouds(image: Grey, at_s: float, _random: np.random.Generator) -> Grey:
    """Draw the shadow of a cloud that passes, and slow light."""
    left = at_s * 6 % (2 * WIDTH) - WIDTH / 2
    columns = np.arange(WIDTH, dtype=np.float32)
    edges = [1 / (1 + np.exp(-(columns - x) / 6)) for x in (left, left + 60)]
    return image * (1 - 0.35 * (edges[0] - edges[1])) * (1 + 0.3 * np.sin(at_s / 15))


def lamp(image: Grey, at_s: float, _random: np.random.Generator) -> Grey:
    """Draw a lamp that is switched on and off every 15 s, and shows other edges."""
    return 150 - image * 0.5 if int(at_s / 15) % 2 else image


def rain(image: Grey, _at_s: float, random: np.random.Generator) -> Grey:
    """Draw streaks, each in one frame."""
    x, y = random.integers(0, WIDTH, 40), random.integers(0, HEIGHT, 40)
    long, bright = random.integers(2, 7, 40), random.uniform(8, 30, 40)
    drop, below = np.nonzero(np.arange(6) < np.minimum(long, HEIGHT - y)[:, None])
    np.add.at(image, (y[drop] + below, x[drop]), bright[drop].astype(np.float32))
    return image


@cache
def _tree() -> Grey:
    grain = np.random.default_rng(3).normal(0, 1, (34, 44)).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(grain, (0, 0), 1.0) * 90, np.float32)


def leaves(image: Grey, at_s: float, _random: np.random.Generator) -> Grey:
    """Draw a tree in the wind, on the right at the top."""
    across = 2 * np.sin(4.4 * at_s) + np.sin(7.1 * at_s + 1)
    moved = cv2.warpAffine(
        _tree(),
        np.array([[1, 0, across], [0, 1, np.sin(5.7 * at_s)]], np.float32),
        (44, 34),
        borderMode=cv2.BORDER_REFLECT,
    )
    image[5:35, 100:140] += moved[2:32, 2:42]
    return image


def parking(image: Grey, at_s: float, _random: np.random.Generator) -> Grey:
    """Draw a car that comes at 5 s, stands from 8 s to 40 s, and leaves."""
    if 5 <= at_s < 45:
        left = int(min(at_s - 5, 3) * 25 + max(at_s - 40, 0) * 20)
        image[50:66, left : left + 25] = 60
    return image


def _street(random: np.random.Generator) -> Grey:
    fine, coarse = (random.normal(0, 1, (HEIGHT, WIDTH)).astype(np.float32) for _ in range(2))
    image = cv2.GaussianBlur(fine, (0, 0), 1.0) * 40 + cv2.GaussianBlur(coarse, (0, 0), 8) * 300
    return np.clip(image + 90, 4, 215)

"""A yard at dusk in which nothing happens, drawn: what most cameras show most of the time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.demo.drawn import write_clip

WIDTH, HEIGHT, FPS = 1280, 720, 12
FRAMES = 8 * FPS
_WALL, _GROUND, _DOOR, _LAMP = (92, 84, 78), (70, 72, 76), (44, 52, 60), (255, 226, 170)
_HORIZON = 330  # where the wall meets the ground
_GRAIN = 1.5  # deviation of a sensor's noise


def yard_images() -> Iterator[NDArray[np.uint8]]:
    """Yield the frames, (HEIGHT, WIDTH, 3) uint8: one picture, with grain of its own in each."""
    random = np.random.default_rng(5)
    still = _still(random)
    for _ in range(FRAMES):
        grain = random.normal(0, _GRAIN, (HEIGHT, WIDTH, 1))
        yield np.clip(still + grain, 0, 255).astype(np.uint8)


def draw_yard(path: Path) -> None:
    """Write all frames as a clip.

    Raises:
        OSError: it cannot be written.
    """
    write_clip(path, yard_images(), FPS)


def _still(random: np.random.Generator) -> NDArray[np.float32]:
    image = np.full((HEIGHT, WIDTH, 3), _GROUND, np.float32)
    image[:_HORIZON] = _WALL
    for row in range(0, _HORIZON, 33):  # bricks
        image[row : row + 2] -= 14
        for left in range(33 * (row // 33 % 2), WIDTH, 66):
            image[row : row + 33, left : left + 2] -= 14
    for slab in np.linspace(-2.2, 2.2, 15):  # joints of the paving, towards a point
        far, near = (int(WIDTH * (0.5 + slab * share)) for share in (0.3, 1.0))
        cv2.line(image, (far, _HORIZON), (near, HEIGHT), (54, 56, 60), 2)
    for depth in (350, 385, 440, 530, 650):
        cv2.line(image, (0, depth), (WIDTH, depth), (54, 56, 60), 2)
    cv2.rectangle(image, (560, 90), (720, _HORIZON), _DOOR, -1)
    cv2.circle(image, (640, 56), 13, _LAMP, -1)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    light = np.exp(-np.hypot(columns - 640, (rows - 56) * 0.8) / 300)
    rough = cv2.GaussianBlur(random.normal(0, 40, (HEIGHT, WIDTH)).astype(np.float32), (0, 0), 1.5)
    lit = image * (0.45 + 0.9 * light[..., None]) + rough[..., None]
    return np.asarray(lit, np.float32)

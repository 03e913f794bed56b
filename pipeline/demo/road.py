"""A country road seen from a car, drawn: what a road camera shows where no clip is at hand.

The ground is a plane with textures of noise under a pinhole camera, so that what is road and what
is paint is known exactly. Lengths are in metres: x to the right of the road's centre line, z ahead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mirante.lanes import Curve
from pipeline.demo.drawn import write_clip

WIDTH, HEIGHT, FPS = 640, 360, 12
FRAMES = 108  # then the first one follows without a jump

_TRAVEL = 144.0  # in all frames; a multiple of the textures' tiles and of the dashes
_FOCAL_PX, _EYE, _HORIZON = 520.0, 1.35, 150  # the camera's height, and its horizon's row
_HALF, _SHOULDER, _DASHES = 3.9, 0.6, 12.0
_LINES = ((-3.45, False), (0.0, True), (3.45, False))  # place, and whether it is dashed
_PAINT, _HAZE = (226, 226, 222), (184, 190, 196)
_TILE = 1024  # pixels of a texture's side

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class RoadPicture:
    """One frame and what is in it.

    Attributes:
        rgb: (HEIGHT, WIDTH, 3) uint8.
        road: (HEIGHT, WIDTH) bool, the asphalt with its paint.
        lane: (HEIGHT, WIDTH) bool, the paint.
    """

    rgb: NDArray[np.uint8]
    road: NDArray[np.bool_]
    lane: NDArray[np.bool_]


def road_picture(n: int) -> RoadPicture:
    """Frame ``n`` of a drive in the right lane, through gentle bends, again after ``FRAMES``."""
    bend, place = _way(n)
    x0, z = _ground()
    x = x0 + place - bend / 2 * z * z
    along = z + _TRAVEL * (n % FRAMES) / FRAMES
    asphalt = _asphalt(x, z, along)
    paved = _inside(x, -_HALF, _HALF, z)
    paint = _paint(x, z, along)
    ground = _blend(_verge(x, z, along), asphalt, paved)
    ground = _blend(ground, _PAINT, paint * np.clip(0.9 + 0.12 * _at(1, x, along, 16), 0.3, 1))
    ground = _blend(ground, _HAZE, 0.75 * (1 - np.exp(-z / 160)))
    picture = np.vstack([_above(bend), ground])
    noise = np.random.default_rng(n % FRAMES).standard_normal(picture.shape, np.float32)
    picture = cv2.GaussianBlur(picture, (0, 0), 0.7) + 2.2 * noise
    sky = np.zeros((_HORIZON, WIDTH), np.bool_)
    return RoadPicture(
        np.clip(picture, 0, 255).astype(np.uint8),
        np.vstack([sky, paved >= 0.5]),
        np.vstack([sky, paint >= 0.5]),
    )


def road_lines(n: int) -> tuple[Curve, ...]:
    """The lines of frame ``n``, from left to right."""
    bend, place = _way(n)
    middle = WIDTH / 2 + 0.5  # the centre of the pixel that sees straight on
    c = bend / 2 * _FOCAL_PX**2 * _EYE
    return tuple(Curve(_HORIZON, middle, (line - place) / _EYE, c) for line, _ in _LINES)


def _way(n: int) -> tuple[float, float]:
    """The road's bend in 1/m, and the camera's place on it."""
    turn = 2 * math.pi * (n % FRAMES) / FRAMES
    return 0.0009 * math.sin(turn), 1.75 + 0.12 * math.sin(2 * turn)


def draw_road(path: Path) -> None:
    """Writes all frames as a clip (MPEG-4, .mp4).

    Raises:
        OSError: it cannot be written.
    """
    write_clip(path, (road_picture(n).rgb for n in range(FRAMES)), FPS)


@lru_cache(maxsize=1)
def _ground() -> tuple[Floats, Floats]:
    """x, with the camera at 0, and z of each pixel below the horizon."""
    rows = np.arange(_HORIZON, HEIGHT) + 0.5 - _HORIZON
    z = np.repeat((_FOCAL_PX * _EYE / rows)[:, None], WIDTH, 1)
    return ((np.arange(WIDTH) - WIDTH / 2) / _FOCAL_PX * z).astype(np.float32), z.astype(np.float32)


@lru_cache(maxsize=8)
def _noise(seed: int, *octaves: tuple[int, float]) -> Floats:
    """Return a texture that tiles: each octave has a number of cells a side and a strength."""
    random = np.random.default_rng(seed)
    texture = np.zeros((_TILE, _TILE), np.float32)
    for cells, strength in octaves:
        coarse = np.pad(random.standard_normal((cells, cells)), 2, mode="wrap")
        step = _TILE // cells
        fine = cv2.resize(coarse, None, fx=step, fy=step, interpolation=cv2.INTER_CUBIC)
        texture += (strength * fine[2 * step :, 2 * step :][:_TILE, :_TILE]).astype(np.float32)
    return texture


def _texture(kind: int) -> Floats:
    """0 grass, 1 asphalt, 2 clouds, 3 trees."""
    octaves: tuple[tuple[tuple[int, float], ...], ...] = (
        ((8, 0.8), (64, 0.6), (256, 0.8), (512, 0.8), (1024, 0.6)),
        ((8, 0.5), (32, 0.3), (128, 0.35), (512, 0.6), (1024, 0.5)),
        ((4, 1.0), (8, 0.7), (16, 0.5), (32, 0.3), (64, 0.15)),
        ((16, 0.7), (32, 0.7), (64, 0.6), (128, 0.5), (256, 0.4)),
    )
    return _noise(kind, *octaves[kind])


def _at(kind: int, x: Floats, y: Floats, tile: float) -> Floats:
    """A texture's values at places, where it repeats every ``tile`` of their units."""
    tiles = (x / tile, y / tile)
    u, v = ((place - np.floor(place)) * _TILE for place in tiles)
    found = cv2.remap(_texture(kind), u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    return np.asarray(found, np.float32)


def _near_and_far(kind: int, x: Floats, z: Floats, along: Floats, tile: float) -> Floats:
    """Fine grain near the camera, coarse grain everywhere."""
    near = np.clip(1 - z / 60, 0, 1)
    return (_at(kind, x, along, tile) * near + 0.55 * _at(kind, x, along, 72)).astype(np.float32)


def _asphalt(x: Floats, z: Floats, along: Floats) -> Floats:
    tracks = sum(np.exp(-(((np.abs(x) - place) / 0.35) ** 2)) for place in (1.0, 2.6))
    grey = 104 + 9 * _near_and_far(1, x, z, along, 16) - 7 * tracks
    return np.repeat(grey[..., None], 3, 2).astype(np.float32)


def _verge(x: Floats, z: Floats, along: Floats) -> Floats:
    """Grass, and gravel beside the asphalt."""
    grain = _near_and_far(0, x, z, along, 24)[..., None]
    grass = (78, 92, 48) + grain * (20, 20, 14)
    gravel = (128, 120, 110) + grain * 16
    return _blend(grass, gravel, 0.7 * np.clip((_HALF + _SHOULDER - np.abs(x)) / 0.5, 0, 1))


def _paint(x: Floats, z: Floats, along: Floats) -> Floats:
    paint = np.zeros_like(x)
    for place, dashed in _LINES:
        line = _inside(x, place - 0.08, place + 0.08, z)
        if dashed:
            row = np.maximum(z * z / (_FOCAL_PX * _EYE), 0.02)  # a row's depth
            line *= np.clip((3 - np.abs(along % _DASHES - 6)) / row + 0.5, 0, 1)
        paint = np.maximum(paint, line)
    return paint


def _inside(x: Floats, left: float, right: float, z: Floats) -> Floats:
    """Return the share of each pixel that lies between two positions."""
    width = np.maximum(z / _FOCAL_PX, 0.01)
    edge = np.minimum(x - left, right - x) / width + 0.5
    return np.asarray(np.clip(edge, 0, 1), np.float32)


def _above(bend: float) -> Floats:
    """Sky and two ridges of trees, the nearer one open where the road goes."""
    y, column = np.mgrid[:_HORIZON, :WIDTH].astype(np.float32)
    pan = bend * 30 * _FOCAL_PX
    high = 1 - y / _HORIZON
    clouds = _at(2, (column + pan) * 0.35 / WIDTH, 0.25 / (0.25 + high), 1)
    sky = _blend((196, 214, 228), (140, 186, 226), high)
    sky = _blend(sky, (238, 240, 240), 0.75 / (1 + np.exp(0.16 - 1.6 * clouds)))
    way = np.clip(1 - np.abs(column - WIDTH / 2 - bend * 40 * _FOCAL_PX) / 70, 0, 1)
    for speed, rise, colour, gap in ((0.8, 8, (98, 116, 118), 0), (2.0, 13, (58, 72, 52), 60)):
        place = column + pan * speed + 300 * gap
        top = _HORIZON - rise * (1 + 0.7 * _at(3, place * 0 + rise, place, 1200)) + gap * way
        leaves = _at(3, place, y, 300)[..., None]
        sky = _blend(sky, colour + 9 * leaves, np.clip(y - top + 0.5, 0, 1))
    return sky


def _blend(under: object, over: object, share: Floats) -> Floats:
    """``over`` on ``under``; colours or (h, w, 3), where ``share``, (h, w), is 1."""
    below, above = np.asarray(under, np.float32), np.asarray(over, np.float32)
    return (below + (above - below) * share[..., None]).astype(np.float32)

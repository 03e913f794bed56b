"""Scenes made from a clip of a fixed camera.

The empty street is the median of the clip's frames; the object that crosses it is cut out of one of
them, as the largest thing that differs from the empty street.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.line.clips import pictures

Image = NDArray[np.uint8]

CROSSED = ("visitor", "night")
VISIT_S, EVERY_S, FIRST_S = 5.0, 20.0, 8.0
SEED = 11  # of rain and noise; what the gate is tuned on has others
_KEPT = 60  # frames of the clip from which the empty street is made
_DIFFERS = 30  # grey levels
_GRAIN = 4.0  # standard deviation of a pixel's noise, in grey levels
_DROPS = 400  # streaks of rain in a frame


class Cutout(NamedTuple):
    """An object cut out of a frame: its pixels, and the opacity of each, in 0..1."""

    pixels: Image
    alpha: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Material:
    """The parts from which scenes are made.

    Attributes:
        frames: of the clip, (height, width, 3) uint8 RGB.
        fps: of the clip.
        empty: the street without anything that moves.
        thing: the object that crosses it.
        top: the object's top row, as in the clip.
    """

    frames: Sequence[Image]
    fps: float
    empty: Image
    thing: Cutout
    top: int


def material_of(clip: Path, seconds: float) -> Material:
    """Return the parts for scenes, from the first seconds of a clip.

    Raises:
        ValueError: the clip has no frame, or no object that moves before a fixed camera.
    """
    fps = float(cv2.VideoCapture(str(clip)).get(cv2.CAP_PROP_FPS)) or 25.0
    frames = list(pictures(clip, ceil(seconds * fps)))
    if not frames:
        raise ValueError(f"--clip: expected a clip with frames, got {clip}")
    some = frames[:: max(1, len(frames) // _KEPT)]
    empty = np.median(np.stack(some), axis=0).astype(np.uint8)
    found = [each for frame in some if (each := _largest(frame, empty)) is not None]
    if not found:
        raise ValueError(f"--clip: expected something that moves in a still image, got {clip}")
    thing, top = max(found, key=lambda each: float(each[0].alpha.sum()))
    return Material(frames, fps, empty, thing, top)


def _largest(frame: Image, empty: Image) -> tuple[Cutout, int] | None:
    """Return the largest object that is completely inside a frame, and its top row."""
    differs = (cv2.absdiff(frame, empty).max(axis=2) > _DIFFERS).astype(np.uint8)
    side = max(3, frame.shape[0] // 60)
    closed = cv2.morphologyEx(differs, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(closed)
    height, width = differs.shape
    best: tuple[Cutout, int] | None = None
    least = height * width // 500
    for label, (left, top, wide, tall, area) in enumerate(stats):
        inside = left > 0 and top > 0 and left + wide < width and top + tall < height
        if label and inside and area > least:
            least = int(area)
            part = slice(top, top + tall), slice(left, left + wide)
            alpha = cv2.blur((labels[part] == label).astype(np.float32), (3, 3))
            best = Cutout(frame[part].copy(), np.asarray(alpha, np.float32)), int(top)
    return best


def visits(name: str, seconds: float) -> list[tuple[float, float]]:
    """Return the start and end of each time something moves, in seconds of a scene."""
    if name == "busy":
        return [(0.0, seconds)]
    if name not in CROSSED:
        return []
    count = int((seconds - FIRST_S - VISIT_S) // EVERY_S) + 1
    begins = [FIRST_S + n * EVERY_S for n in range(count)]
    return [(begin_s, begin_s + VISIT_S) for begin_s in begins]


def crossing(material: Material, into: float) -> tuple[float, float, float, float]:
    """Return the visible part of the object that crosses: left, top, right and bottom, in 0..1.

    Args:
        material: of the scene.
        into: share of its way that it has covered.
    """
    height, width = material.empty.shape[:2]
    tall, wide = material.thing.alpha.shape
    left = _left(material, into)
    top, bottom = material.top / height, (material.top + tall) / height
    return max(0, left) / width, top, min(width, left + wide) / width, bottom


def scene(
    name: str, material: Material, seconds: float, fps: int, height: int, seed: int = SEED
) -> Iterator[Image]:
    """Yield the frames of a scene, (height, width, 3) uint8 RGB."""
    random, empty = np.random.default_rng(seed), material.empty
    width = round(height * empty.shape[1] / empty.shape[0] / 2) * 2
    there = visits(name, seconds)
    grain = [random.normal(0, _GRAIN, (height, width, 1)).astype(np.int8) for _ in range(8)]
    for number in range(round(seconds * fps)):
        image = _content(name, material, number / fps, there)
        image = np.asarray(cv2.resize(image, (width, height)), np.uint8)
        if name == "busy":  # has its own noise
            yield image
            continue
        lit = image.astype(np.int16)
        if name == "night":
            lit = lit // 8 + 8
        if name == "street":
            lit = _weather(lit, number / fps, random)
        noise = np.roll(grain[number % 8], tuple(random.integers(0, height, 2)), (0, 1))
        yield np.clip(lit + noise * (2 if name == "night" else 1), 0, 255).astype(np.uint8)


def _content(
    name: str, material: Material, at_s: float, there: Sequence[tuple[float, float]]
) -> Image:
    """Return a frame without weather and noise."""
    if name == "busy":
        return material.frames[int(at_s * material.fps) % len(material.frames)]
    image = material.empty.copy()
    if name == "parked":
        _paste(image, material.thing, _left(material, 0.5), material.top)
    for begin_s, end_s in there:
        if begin_s <= at_s < end_s:
            left = _left(material, (at_s - begin_s) / (end_s - begin_s))
            _paste(image, material.thing, left, material.top)
    return image


def _left(material: Material, into: float) -> int:
    """Return the left column of the object that crosses, after a share of its way."""
    wide: int = material.thing.alpha.shape[1]
    return int(into * (material.empty.shape[1] + wide)) - wide


def _paste(image: Image, thing: Cutout, left: int, top: int) -> None:
    """Draw an object into an image, whose edges may cut it off."""
    tall, wide = thing.alpha.shape
    first, last = max(0, -left), min(wide, image.shape[1] - left)
    if first >= last:
        return
    alpha = thing.alpha[:, first:last, None]
    below = image[top : top + tall, left + first : left + last]
    below[:] = (below * (1 - alpha) + thing.pixels[:, first:last] * alpha).astype(np.uint8)


def _weather(lit: NDArray[np.int16], at_s: float, random: np.random.Generator) -> NDArray[np.int16]:
    """Return an image under a passing cloud, with streaks of rain."""
    height, width = lit.shape[:2]
    edge = (at_s % EVERY_S) / EVERY_S * 2 * width - width / 2
    shade = 1 - 0.3 / (1 + np.exp((np.abs(np.arange(width) - edge) - width / 5) / (width / 30)))
    shaded = np.asarray(lit * shade[None, :, None].astype(np.float32), np.int16)
    long, wide = max(4, height // 40), max(1, height // 500)
    for x, y in zip(
        random.integers(0, width, _DROPS), random.integers(0, height, _DROPS), strict=True
    ):
        shaded[y : y + long, x : x + wide] += 25
    return shaded

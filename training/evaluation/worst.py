"""The worst images, drawn on one sheet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.datasets import DatasetError
from training.evaluation.matching import Found, Truth, Verdict

COUNT = 10
COLUMNS = 2
TILE_PX = 480  # width of an image on the sheet
CAPTION_PX = 24
SHEETS = (".png", ".jpg", ".jpeg")
HIT, FALSE, TRUE, MISSED = (60, 140, 255), (255, 40, 40), (40, 220, 60), (255, 220, 0)
UNCOUNTED = (150, 150, 150)
LEGEND = {"there": TRUE, "missed": MISSED, "found": HIT, "false": FALSE, "not counted": UNCOUNTED}
Picture = NDArray[np.uint8]


class Worst:
    """Keeps the images with the lowest figures."""

    def __init__(self, count: int = COUNT) -> None:
        self._count = count
        self._kept: list[tuple[tuple[float, int], str, Picture]] = []

    def add(self, figure: float, errors: int, caption: str, draw: Callable[[], Picture]) -> None:
        """Keeps the image that ``draw`` makes if ``figure`` is low; NaN says nothing.

        Of equal figures that with more ``errors`` is worse.
        """
        rank = (figure, -errors)
        full = len(self._kept) == self._count
        if np.isnan(figure) or (full and rank >= self._kept[-1][0]):
            return
        self._kept.append((rank, caption, draw()))
        self._kept.sort(key=lambda kept: kept[0])
        del self._kept[self._count :]

    @property
    def captions(self) -> list[str]:
        """The worst first."""
        return [caption for _, caption, _ in self._kept]

    def sheet(self) -> Picture:
        """(h, w, 3) uint8 RGB: the tiles, the worst first, row by row, and a legend.

        Raises:
            DatasetError: nothing was kept.
        """
        if not self._kept:
            raise DatasetError("sheet: expected images to show, found none")
        tiles = [_captioned(picture, caption) for _, caption, picture in self._kept]
        rows = [tiles[i : i + COLUMNS] for i in range(0, len(tiles), COLUMNS)]
        return np.concatenate([_row(row) for row in rows] + [_legend()])

    def write(self, path: Path) -> None:
        """Writes the sheet as what the suffix of ``path`` says.

        Raises:
            DatasetError: nothing was kept, or it cannot be written there.
        """
        bgr = cv2.cvtColor(self.sheet(), cv2.COLOR_RGB2BGR)
        if path.suffix.lower() not in SHEETS or not cv2.imwrite(str(path), bgr):
            raise DatasetError(f"{path}: expected {' or '.join(SHEETS)} that can be written")


def draw_boxes(
    rgb: Picture, truth: Truth, found: Found, verdict: Verdict, labels: Sequence[str]
) -> Picture:
    """A tile of the image with what is there and what was found."""
    scale = TILE_PX / rgb.shape[1]
    image = _tile(rgb)
    there = zip(truth.xyxy, truth.class_id, verdict.counted, verdict.missed, strict=True)
    for box, number, counted, missed in there:
        colour = MISSED if missed else TRUE if counted else UNCOUNTED
        left, top = _box(image, box * scale, colour, 3)
        if missed:
            _write(image, labels[number], (left + 3, top + 13), colour, 0.38)
    rows = zip(found.xyxy, found.class_id, found.score, verdict.hit, verdict.false, strict=True)
    for box, number, score, hit, false in rows:
        colour = HIT if hit else FALSE if false else UNCOUNTED
        left, top = _box(image, box * scale, colour, 1)
        _write(image, f"{labels[number]} {score:.2f}", (left, max(top - 3, 10)), colour, 0.38)
    return image


def draw_planes(
    rgb: Picture, truth: Sequence[NDArray[np.bool_]], found: Sequence[NDArray[np.bool_]]
) -> Picture:
    """A tile of the image with its planes coloured; planes may hide earlier ones."""
    painted = rgb.copy()
    for there, seen in zip(truth, found, strict=True):
        for plane, colour in (
            (there & seen, TRUE),
            (there & ~seen, MISSED),
            (seen & ~there, FALSE),
        ):
            painted[plane] = (painted[plane] * 0.45 + np.array(colour) * 0.55).astype(np.uint8)
    return _tile(painted)


def _tile(rgb: Picture) -> Picture:
    height = max(1, round(rgb.shape[0] * TILE_PX / rgb.shape[1]))
    way = cv2.INTER_AREA if rgb.shape[1] > TILE_PX else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(rgb, (TILE_PX, height), interpolation=way), np.uint8)


def _box(
    image: Picture, box: NDArray[np.float32], colour: tuple[int, int, int], thick: int
) -> tuple[int, int]:
    left, top, right, bottom = (round(float(edge)) for edge in box)
    cv2.rectangle(image, (left, top), (right, bottom), colour, thick)
    return left, top


def _write(
    image: Picture, text: str, at: tuple[int, int], colour: tuple[int, int, int], size: float
) -> None:
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(image, text, at, font, size, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(image, text, at, font, size, colour, 1, cv2.LINE_AA)


def _captioned(picture: Picture, caption: str) -> Picture:
    bar = np.zeros((CAPTION_PX, picture.shape[1], 3), np.uint8)
    _write(bar, caption, (4, CAPTION_PX - 7), (255, 255, 255), 0.42)
    return np.concatenate([picture, bar])


def _row(tiles: Sequence[Picture]) -> Picture:
    """Tiles side by side, at the height of the highest."""
    height = max(len(tile) for tile in tiles)
    row = np.zeros((height, COLUMNS * TILE_PX, 3), np.uint8)
    for index, tile in enumerate(tiles):
        row[: len(tile), index * TILE_PX : (index + 1) * TILE_PX] = tile
    return row


def _legend() -> Picture:
    bar = np.zeros((CAPTION_PX, COLUMNS * TILE_PX, 3), np.uint8)
    for index, (word, colour) in enumerate(LEGEND.items()):
        _write(bar, word, (8 + index * 120, CAPTION_PX - 7), colour, 0.45)
    return bar

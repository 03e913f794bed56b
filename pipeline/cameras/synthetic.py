"""A camera that is drawn: its image says its frame number and what there is to be found in it."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from mirante.detections import Detections
from mirante.mask import Mask
from pipeline.config.synthetic_options import _check_size

LABELS = ("red", "green", "blue")
LANE = "lane"
LANE_COLOUR = (255, 0, 255)
BITS = 32

_CONTRAST = 80  # of 255, between a cell and its complement: more than a codec's error
_COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255))
_WIDTHS = (6, 5, 8)  # each box is this part of the image's width
_STEPS = (6, 4, 10)  # pixels per frame


def picture(n: int, width: int, height: int, clock: str = "") -> NDArray[np.uint8]:
    """Frame ``n``: (height, width, 3) uint8 RGB.

    Grey background; the number as a barcode on top and beside ``clock`` in white for people; three
    filled boxes in the pure colours red, green and blue; one slanted band in magenta. Boxes and
    band never touch one another. Everything but the text has even coordinates, so that 4:2:0
    video keeps its edges.

    Raises:
        ValueError: the image is too small to hold all this.
    """
    image = _background(width, height).copy()
    draw_number(image, n)
    _draw_text(image, f"{n} {clock}")
    for colour, (left, top, right, bottom) in zip(_COLOURS, _boxes(n, width, height), strict=True):
        image[top:bottom, left:right] = colour
    cv2.fillConvexPoly(image, _band(n, width, height), LANE_COLOUR)
    return image


def truth(n: int, width: int, height: int) -> tuple[Detections, Mask]:
    """Return the truth of ``picture(n, width, height)``: its boxes, and its band as a mask."""
    boxes = Detections(
        np.array(_boxes(n, width, height), np.float32),
        np.ones(len(LABELS), np.float32),
        np.arange(len(LABELS), dtype=np.int32),
        LABELS,
    )
    plane = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(plane, _band(n, width, height), 1)
    region = (0.0, 0.0, float(width), float(height))
    return boxes, Mask.from_planes((LANE,), plane.astype(np.bool_)[None], region, "synthetic")


def draw_number(image: NDArray[np.uint8], n: int) -> None:
    """Draw a number on top of an (h, w, 3) image, as ``read_number`` reads it: one row of bits,
    lowest first, above a row of their complements.
    """
    height, width = image.shape[:2]
    row = _header(height) // 4
    for bit, (start, end) in enumerate(_cells(width)):
        value = 255 if n >> bit & 1 else 0
        image[:row, start:end] = value
        image[row : 2 * row, start:end] = 255 - value


def read_number(image: NDArray[np.uint8]) -> int | None:
    """The frame number in an image of any scale, or None when none can be read with certainty.

    Args:
        image: (h, w, 3) or (h, w) uint8, the whole image.
    """
    height, width = image.shape[:2]
    top = _header(height) / 4
    rows = [image[int(y - top / 3) : int(y + top / 3) + 1] for y in (top / 2, top * 1.5)]
    number = 0
    for bit, (start, end) in enumerate(_cells(width)):
        margin = (end - start) // 4
        bright, dark = (float(row[:, start + margin : end - margin].mean()) for row in rows)
        if abs(bright - dark) < _CONTRAST:
            return None
        number |= (bright > dark) << bit
    return number


@lru_cache(maxsize=4)
def _background(width: int, height: int) -> NDArray[np.uint8]:
    _check_size(width, height)
    grey = np.linspace(60, 150, height, dtype=np.uint8)
    return np.broadcast_to(grey[:, None, None], (height, width, 3)).copy()


def _header(height: int) -> int:
    """Rows kept for barcode and text, half each; a multiple of 8."""
    return max(16, height // 6 // 8 * 8)


def _cells(width: int) -> list[tuple[int, int]]:
    edges = [round(i * width / BITS) for i in range(BITS + 1)]
    return list(pairwise(edges))


def _draw_text(image: NDArray[np.uint8], text: str) -> None:
    header = _header(image.shape[0])
    origin = (4, header - header // 8)
    scale = header / 2 / 30
    cv2.putText(image, text, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), 1)


def _boxes(n: int, width: int, height: int) -> list[tuple[int, int, int, int]]:
    """Each box goes to and fro in a row of its own, above the band: left, top, right, bottom."""
    header = _header(height)
    row = (height * 2 // 3 - header) // len(LABELS)
    boxes = []
    for i, (part, step) in enumerate(zip(_WIDTHS, _STEPS, strict=True)):
        span = _even(width - width // part)
        turn = n * step % (2 * span)
        left = min(turn, 2 * span - turn)
        top = _even(header + i * row + 2)
        boxes.append((left, top, left + _even(width // part), top + max(2, _even(row - 4))))
    return boxes


def _band(n: int, width: int, height: int) -> NDArray[np.int32]:
    """Corners of the slanted band, which sways in the lowest third: (4, 2) int32."""
    top, bottom = _even(height * 2 // 3 + 4), height - 1
    sway = abs(n * 2 % (width // 4) - width // 8)
    left = _even(width // 8 + sway)
    thick, lean = _even(width // 8), _even(width // 4)
    corners = [
        (left + lean, top),
        (left + lean + thick, top),
        (left + thick, bottom),
        (left, bottom),
    ]
    return np.array(corners, np.int32)


def _even(value: int) -> int:
    return value // 2 * 2

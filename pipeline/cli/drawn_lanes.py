"""The lanes of a road on an image, for a file."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mirante.lanes import Lanes, Points
from pipeline.cli.tail import offset_words

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]
BESIDE, FURTHER, LANE, AREA = (255, 196, 0), (120, 220, 255), (0, 190, 255), (90, 230, 140)
_EDGE = (12, 16, 20)
_SHIFT = 4  # bits of a pixel's fraction


def draw_lanes(drawn: Picture, lanes: Lanes) -> None:
    """Draw in place: the lane of the camera tinted, its lines strong, others and areas fine.

    Args:
        drawn: (height, width, 3) uint8 RGB, the source frame.
        lanes: in its pixels.
    """
    unit = max(1, round(drawn.shape[1] / 640))
    for outline in lanes.drivable:
        _stroke(drawn, outline, AREA, unit, closed=True)
    left, right = lanes.line(-1), lanes.line(1)
    if left is not None and right is not None:
        lane = np.concatenate([left.points, right.points[::-1]])
        tinted = cv2.fillPoly(drawn.copy(), [_fixed(lane)], LANE, cv2.LINE_8, _SHIFT)
        cv2.addWeighted(drawn, 0.72, tinted, 0.28, 0, dst=drawn)
    for line in sorted(lanes.lines, key=lambda line: -abs(line.number)):
        is_beside = abs(line.number) == 1
        thick = (3 if is_beside else 2) * unit
        _stroke(drawn, line.points, _EDGE, thick + 2 * unit)
        _stroke(drawn, line.points, BESIDE if is_beside else FURTHER, thick)
    if lanes.ego is not None:
        _write(drawn, offset_words(lanes.ego), unit)


def _stroke(
    drawn: Picture, points: Points, colour: Colour, thick: int, closed: bool = False
) -> None:
    cv2.polylines(drawn, [_fixed(points)], closed, colour, thick, cv2.LINE_AA, _SHIFT)


def _fixed(points: Points) -> NDArray[np.int32]:
    """Return points for OpenCV, which counts from the middle of the first pixel."""
    fixed: NDArray[np.int32] = np.round((points - 0.5) * 2**_SHIFT).astype(np.int32)
    return fixed


def _write(drawn: Picture, words: str, unit: int) -> None:
    height, width = drawn.shape[:2]
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, 0.5 * unit
    (wide, high), _ = cv2.getTextSize(words, font, scale, unit)
    left, bottom, edge = (width - wide) // 2, height - 10 * unit, 5 * unit
    plate = (left - edge, bottom - high - edge), (left + wide + edge, bottom + edge)
    cv2.rectangle(drawn, *plate, _EDGE, -1)
    cv2.putText(drawn, words, (left, bottom), font, scale, BESIDE, unit, cv2.LINE_AA)

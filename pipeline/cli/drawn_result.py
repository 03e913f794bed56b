"""A frame with what was found in it, for a file. The line itself never draws on an image."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mirante.frame import FrameResult
from mirante.mask import Mask
from mirante.rotated import corners

COLOURS = (
    (60, 220, 60),
    (255, 80, 60),
    (70, 140, 255),
    (255, 210, 0),
    (230, 90, 230),
    (0, 220, 220),
)
Picture = NDArray[np.uint8]


def draw_result(rgb: Picture, result: FrameResult) -> Picture:
    """A copy of the source frame, (height, width, 3) uint8 RGB, with masks, boxes and scores."""
    drawn = rgb.copy()
    for _, mask in result.all_masks():
        _paint(drawn, mask)
    found = result.detections
    for i, ((label, score, xyxy), class_id) in enumerate(zip(found, found.class_id, strict=True)):
        left, top, right, bottom = (round(float(edge)) for edge in xyxy)
        colour = COLOURS[int(class_id) % len(COLOURS)]
        if found.rotated is not None and found.rotated[i].any():
            outline = np.round(corners(found.rotated[i : i + 1])).astype(np.int32)
            cv2.polylines(drawn, list(outline), True, colour, 2)
        else:
            cv2.rectangle(drawn, (left, top), (right, bottom), colour, 2)
        at = (left + 2, max(top - 4, 12))
        for ink, thick in (((0, 0, 0), 3), (colour, 1)):
            font = cv2.FONT_HERSHEY_SIMPLEX
            cv2.putText(drawn, f"{label} {score:.2f}", at, font, 0.45, ink, thick, cv2.LINE_AA)
    return drawn


def _paint(drawn: Picture, mask: Mask) -> None:
    """Tints each plane in its colour; a later plane lies above."""
    height, width = drawn.shape[:2]
    x, y = np.arange(width) + 0.5, np.arange(height) + 0.5
    left, top, right, bottom = mask.xyxy
    column = np.floor((x - left) / (right - left) * mask.width).astype(int)
    row = np.floor((y - top) / (bottom - top) * mask.height).astype(int)
    inside = np.ix_((row >= 0) & (row < mask.height), (column >= 0) & (column < mask.width))
    rows, columns = row[inside[0].ravel()], column[inside[1].ravel()]
    region = drawn[inside]
    for plane, colour in zip(mask.planes, COLOURS * len(mask.labels), strict=False):
        shown = plane[np.ix_(rows, columns)]
        region[shown] = (region[shown] * 0.5 + np.array(colour) * 0.5).astype(np.uint8)
    drawn[inside] = region

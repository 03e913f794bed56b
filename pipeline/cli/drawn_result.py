"""A frame with what was found in it, for a file. The line itself never draws on an image."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mirante.detections import UNTRACKED, Detections
from mirante.frame import FrameResult
from mirante.mask import Mask
from mirante.rotated import corners
from pipeline.cli.drawn_lanes import draw_lanes

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
    """A copy of the source frame, (height, width, 3) uint8 RGB, with all that was found."""
    drawn = rgb.copy()
    found = result.detections
    for index, mask in result.all_masks():
        of_class = (
            0 if index is None or mask.labels[0] not in found.labels else found.class_id[index]
        )
        _paint(drawn, mask, int(of_class))
    if result.lanes is not None:
        draw_lanes(drawn, result.lanes)
    for i, class_id in enumerate(found.class_id):
        left, top, right, bottom = (round(float(edge)) for edge in found.xyxy[i])
        colour = COLOURS[int(class_id) % len(COLOURS)]
        if found.rotated is not None and found.rotated[i].any():
            outline = np.round(corners(found.rotated[i : i + 1])).astype(np.int32)
            cv2.polylines(drawn, list(outline), True, colour, 2)
        else:
            cv2.rectangle(drawn, (left, top), (right, bottom), colour, 2)
        at = (left + 2, max(top - 4, 12))
        for ink, thick in (((0, 0, 0), 3), (colour, 1)):
            font = cv2.FONT_HERSHEY_SIMPLEX
            cv2.putText(drawn, words(found, i), at, font, 0.45, ink, thick, cv2.LINE_AA)
    for index, class_id in enumerate(found.class_id):
        _join(drawn, found, index, COLOURS[int(class_id) % len(COLOURS)])
    return drawn


def words(found: Detections, index: int) -> str:
    """Return the words beside an object: its class, its number where it has one, its score."""
    track = UNTRACKED if found.track_id is None else found.track_id[index]
    number = "" if track == UNTRACKED else f" {track}"
    return f"{found.labels[found.class_id[index]]}{number} {found.score[index]:.2f}"


def _join(drawn: Picture, found: Detections, index: int, colour: tuple[int, int, int]) -> None:
    """Draws an object's key points, and the lines of its skeleton between those that are there."""
    skeleton = found.skeleton_of(index)
    if found.keypoints is None or skeleton is None:
        return
    points = found.keypoints[index]
    at = [(round(float(x)), round(float(y))) for x, y, _ in points]
    for start, end in skeleton.edges:
        if points[start, 2] > 0 and points[end, 2] > 0:
            cv2.line(drawn, at[start], at[end], colour, 2, cv2.LINE_AA)
    for place, (_, _, score) in zip(at, points, strict=True):
        if score > 0:
            cv2.circle(drawn, place, 3, colour, -1, cv2.LINE_AA)


def _paint(drawn: Picture, mask: Mask, first: int) -> None:
    """Tints each plane in its colour, from the ``first``; a later plane lies above."""
    height, width = drawn.shape[:2]
    x, y = np.arange(width) + 0.5, np.arange(height) + 0.5
    left, top, right, bottom = mask.xyxy
    column = np.floor((x - left) / (right - left) * mask.width).astype(int)
    row = np.floor((y - top) / (bottom - top) * mask.height).astype(int)
    inside = np.ix_((row >= 0) & (row < mask.height), (column >= 0) & (column < mask.width))
    rows, columns = row[inside[0].ravel()], column[inside[1].ravel()]
    region = drawn[inside]
    for number, plane in enumerate(mask.planes, first):
        colour = COLOURS[number % len(COLOURS)]
        shown = plane[np.ix_(rows, columns)]
        region[shown] = (region[shown] * 0.5 + np.array(colour) * 0.5).astype(np.uint8)
    drawn[inside] = region

"""Makes what an image shows of some classes unrecognisable, before the image leaves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mirante.frame import FrameResult
from mirante.mask import Mask

HOLD_S = 1.0  # detectors miss things in single frames
GROWTH = 0.1  # of a box's width and height, on each side
MASK_GROWTH = 0.01  # of the image's longer side
LEAST_SHARE = 0.25  # a mask that covers less of its object's box is not believed
MOST_CELLS = 4  # along the longer side of a region; from 6 on a detector begins to see a face
CELL_PX = 4  # least size of a cell, so that small regions lose all

Box = tuple[float, float, float, float]


class Blur:
    """Remembers where the classes were seen in the last second, and blurs those places.

    Args:
        labels: the classes.
        clock: seconds, monotonic.
    """

    def __init__(self, labels: Iterable[str], clock: Callable[[], float] = time.monotonic) -> None:
        self.labels = frozenset(labels)
        self._clock = clock
        self._seen_s: NDArray[np.float64] = np.empty((0, 0))  # per pixel of the image
        self._observed_s = -np.inf

    def observe(self, result: FrameResult, width: int, height: int) -> None:
        """Notes where the classes are in one frame; wanted for every frame, shown or not.

        Args:
            result: boxes and masks in source pixels.
            width, height: of the image that shows the frame.
        """
        if self._seen_s.shape != (height, width):
            self._seen_s = np.full((height, width), -np.inf)
        before_s, now_s = self._observed_s, self._clock()
        self._observed_s = now_s
        if result.skipped:  # nothing has moved since the frame before
            self._seen_s[self._seen_s >= before_s - HOLD_S] = now_s
        scale = (width / result.width, height / result.height)
        planes = [
            (label, index, _plane(mask, label, scale, width, height))
            for index, mask in result.all_masks()
            for label in mask.labels
            if label in self.labels
        ]
        found = () if self.labels.isdisjoint(result.detections.labels) else result.detections
        for index, (label, _, xyxy) in enumerate(found):
            if label not in self.labels:
                continue
            box = _scaled(tuple(xyxy.tolist()), scale)
            own = [p for of, at, p in planes if of == label and at in {index, None}]
            if not _is_covered(box, own):
                self._seen_s[_pixels(box, GROWTH, width, height)] = now_s
        if planes:
            reach = 2 * max(3, round(MASK_GROWTH * max(width, height))) + 1
            drawn = np.logical_or.reduce([plane for _, _, plane in planes]).view(np.uint8)
            self._seen_s[cv2.dilate(drawn, np.ones((reach, reach), np.uint8)) > 0] = now_s

    def observe_all(self, width: int, height: int) -> None:
        """Notes that the classes may be anywhere in an image of a size."""
        self._observed_s = self._clock()
        self._seen_s = np.full((height, width), self._observed_s)

    def apply(self, picture: NDArray[np.uint8]) -> None:
        """Blurs in place, in an image of the size that was observed last: each region is averaged
        down to a few cells.
        """
        covered = (self._seen_s >= self._clock() - HOLD_S).view(np.uint8)
        _, numbers, regions, _ = cv2.connectedComponentsWithStats(covered)
        for number, (left, top, width, height, _) in enumerate(regions[1:], 1):
            here = np.s_[top : top + height, left : left + width]
            inside = numbers[here] == number
            picture[here][inside] = _averaged(picture[here])[inside]


def _averaged(region: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A region of an image in a few cells, with smooth passages between them."""
    height, width = region.shape[:2]
    longer = max(width, height)
    cells = min(MOST_CELLS, max(1, longer // CELL_PX))
    size = [max(1, round(side * cells / longer)) for side in (width, height)]
    few = cv2.resize(region, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(few, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _plane(
    mask: Mask, label: str, scale: tuple[float, float], width: int, height: int
) -> NDArray[np.bool_]:
    """A plane on the image: (height, width) bool."""
    return replace(mask, xyxy=_scaled(mask.xyxy, scale)).on_frame(label, width, height)


def _scaled(xyxy: Iterable[float], scale: tuple[float, float]) -> Box:
    left, top, right, bottom = xyxy
    return left * scale[0], top * scale[1], right * scale[0], bottom * scale[1]


def _is_covered(box: Box, planes: list[NDArray[np.bool_]]) -> bool:
    """Return whether the planes cover enough of the box to stand for it."""
    if not planes:
        return False
    parts = [plane[_pixels(box, 0.0, *plane.shape[::-1])] for plane in planes]
    whole = np.logical_or.reduce(parts)
    return bool(whole.size and whole.mean() >= LEAST_SHARE)


def _pixels(box: Box, growth: float, width: int, height: int) -> tuple[slice, slice]:
    """Rows and columns of the image that a box touches, grown on each side."""
    left, top, right, bottom = box
    across, down = growth * (right - left), growth * (bottom - top)
    return (
        slice(max(0, int(top - down)), max(0, min(height, int(np.ceil(bottom + down))))),
        slice(max(0, int(left - across)), max(0, min(width, int(np.ceil(right + across))))),
    )

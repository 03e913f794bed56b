"""The parts of a frame that a model looks at: tiles of all of it, or a region around what moves."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.placement import Size
from plugins.frame import Area

Boxes = NDArray[np.float32]

OVERLAP = 0.2  # of a tile, with the next one: what is smaller is whole in one of them
MOST_TILES = 8  # each way
_FINE = 1.25  # pixels of the frame for one of the model's, up to which ``auto`` makes no more tiles
_MARGIN = 0.25  # of each thing that moves, around it: a motion mask rarely shows all of it
_LEAST = 0.02  # of the frame, likewise
_MOST = 0.7  # of the frame's sides, from which a region shows little more than the whole frame


class Tiles(NamedTuple):
    """A grid of tiles; 0 by 0 stands for as many as the model needs to see nearly all pixels."""

    columns: int = 0
    rows: int = 0

    @classmethod
    def of_text(cls, text: str) -> Tiles | None:
        """Read ``auto``, COLUMNSxROWS, or ``off``: None.

        Raises:
            ValueError: it is none of these, or has one tile or too many.
        """
        if text == "off":
            return None
        if text == "auto":
            return cls()
        match = re.fullmatch(rf"([1-{MOST_TILES}])x([1-{MOST_TILES}])", text)
        if match is None or text == "1x1":
            raise ValueError(
                f'tiles: "{text}"; expected auto, off, or COLUMNSxROWS from 1x2 to '
                f"{MOST_TILES}x{MOST_TILES}"
            )
        return cls(int(match[1]), int(match[2]))

    def areas(self, source: Size, takes: Size) -> list[Area]:
        """Return the tiles of a frame, row by row; none where the whole frame is one.

        Args:
            source: width and height of the frame.
            takes: those of the model's input.
        """
        columns, rows = self
        if not columns:
            columns, rows = (_count(*each) for each in zip(source, takes, strict=True))
        if columns * rows == 1:
            return []
        across, down = _spans(source[0], columns), _spans(source[1], rows)
        return [(left, top, right, bottom) for top, bottom in down for left, right in across]


def _count(side: int, takes: int) -> int:
    count = 1
    while count < MOST_TILES and side / (count - (count - 1) * OVERLAP) > _FINE * takes:
        count += 1
    return count


def _spans(side: int, count: int) -> list[tuple[int, int]]:
    """Return the first and last edge of each tile of a side: even, but for the frame's own edge."""
    if count == 1:
        return [(0, side)]
    length = min(side, _even(side / (count - (count - 1) * OVERLAP) + 2))
    starts = [_even(place * (side - length) / (count - 1)) for place in range(count - 1)]
    return [*((start, start + length) for start in starts), (_even(side - length), side)]


def region_around(boxes: Boxes, source: Size, takes: Size) -> Area | None:
    """Return a region of a frame's shape that has all of some boxes in it with a margin.

    It is at least as large as what the model sees without scaling. None where it would be so large
    that the whole frame shows nearly as much.

    Args:
        boxes: (n, 4) in pixels of the frame, one or more.
        source: width and height of the frame.
        takes: those of the model's input.
    """
    sides = np.array(source, np.float64)
    margin = _MARGIN * (boxes[:, 2:] - boxes[:, :2]) + _LEAST * sides.max()
    low = np.clip((boxes[:, :2] - margin).min(axis=0), 0, sides)
    high = np.clip((boxes[:, 2:] + margin).max(axis=0), 0, sides)
    share = max(*((high - low) / sides), min(np.array(takes) / sides))
    if share > _MOST:
        return None
    length = [min(side, 2 * math.ceil(side * share / 2)) for side in source]
    starts = [
        min(max(_even(middle - part / 2), 0), _even(side - part))
        for middle, part, side in zip((low + high) / 2, length, source, strict=True)
    ]
    ends = [
        side if start + part >= side - 1 else start + part
        for start, part, side in zip(starts, length, source, strict=True)
    ]
    return starts[0], starts[1], ends[0], ends[1]


def _even(pixels: float) -> int:
    """Chroma has a sample for two pixels."""
    return int(pixels // 2) * 2

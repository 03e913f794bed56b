"""The boxes from which SSD's networks reckon theirs, made as those who train them make them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Size = tuple[int, int]


@dataclass(frozen=True)
class Level:
    """One feature map.

    Attributes:
        cells: columns and rows.
        shapes: width and height of each prior, in parts of the input.
        step: pixels of the input from a cell to the next; None for its size by its cells.
    """

    cells: Size
    shapes: tuple[tuple[float, float], ...]
    step: int | None = None


@lru_cache(maxsize=16)
def priors(kind: str | tuple[Level, ...], size: Size) -> NDArray[np.float32]:
    """(n, 4) float32: centre x, y, width, height in parts of an input of ``size`` (width, height).

    They go level by level, row by row, cell by cell, shape by shape.

    Args:
        kind: a key of ``MADE``, or the levels.
        size: of the input.
    """
    levels = MADE[kind](size) if isinstance(kind, str) else kind
    return np.concatenate([_boxes(level, size) for level in levels]).astype(np.float32)


def _boxes(level: Level, size: Size) -> NDArray[np.float64]:
    (columns, rows), shapes = level.cells, np.array(level.shapes)
    across, down = (s / (level.step or s / n) for s, n in zip(size, level.cells, strict=True))
    y, x = np.mgrid[:rows, :columns].reshape(2, -1, 1) + 0.5
    centres = np.broadcast_arrays(x / across, y / down, shapes[:, 0], shapes[:, 1])
    return np.stack(centres, axis=-1).reshape(-1, 4)


def _tensorflow(size: Size) -> Iterator[Level]:
    """ssd_anchor_generator of the TensorFlow object detection API with its defaults, six levels."""
    cells = tuple(-(-side // 16) for side in size)
    scales = [0.2 + 0.75 * i / 5 for i in range(6)] + [1.0]
    for i, (scale, larger) in enumerate(pairwise(scales)):
        pairs = [(scale, ratio) for ratio in (1.0, 2.0, 0.5, 3.0, 0.3333)]
        pairs.append((math.sqrt(scale * larger), 1.0))
        if i == 0:
            pairs = [(0.1, 1.0), (scale, 2.0), (scale, 0.5)]
        shapes = tuple((s * math.sqrt(ratio), s / math.sqrt(ratio)) for s, ratio in pairs)
        yield Level((cells[0], cells[1]), shapes)
        cells = tuple(-(-side // 2) for side in cells)


def _ssd300(_: Size) -> Iterator[Level]:
    """SSD300's of the paper (Liu et al. 2016) on VGG-16, as torchvision has them."""
    scales = (0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05)
    levels = ((38, 8), (19, 16), (10, 32), (5, 64), (3, 100), (1, 300))
    for i, (cells, step) in enumerate(levels):
        scale, between = scales[i], math.sqrt(scales[i] * scales[i + 1])
        shapes = [(scale, scale), (between, between)]
        for ratio in (2, 3) if i in (1, 2, 3) else (2,):
            long, short = scale * math.sqrt(ratio), scale / math.sqrt(ratio)
            shapes += [(long, short), (short, long)]
        clipped = tuple((min(w, 1.0), min(h, 1.0)) for w, h in shapes)
        yield Level((cells, cells), clipped, step)


def _ultraface(size: Size) -> Iterator[Level]:
    """The squares of the face detectors RFB and slim (Ultra-Light-Fast, 320x240 and others)."""
    for stride, sides in ((8, (10, 16, 24)), (16, (32, 48)), (32, (64, 96)), (64, (128, 192, 256))):
        cells = _cells(size, stride)
        yield Level(cells, tuple((min(s / size[0], 1.0), min(s / size[1], 1.0)) for s in sides))


def _facemask(size: Size) -> Iterator[Level]:
    """AIZOO's detectors of faces with and without a mask, 260x260 and 360x360."""
    pairs = ((0.04, 0.056), (0.08, 0.11), (0.16, 0.22), (0.32, 0.45), (0.64, 0.72))
    maps = [_cells(size, stride) for stride in (8, 16, 32, 64)]
    # The last is a convolution without padding; of a small input nothing is left.
    maps.append((max(1, maps[-1][0] - 2), max(1, maps[-1][1] - 2)))
    for cells, (first, second) in zip(maps, pairs, strict=True):
        narrow = tuple(
            (first * math.sqrt(ratio), first / math.sqrt(ratio)) for ratio in (0.62, 0.42)
        )
        yield Level(cells, ((first, first), (second, second), *narrow))


def _retinaface(size: Size) -> Iterator[Level]:
    """RetinaFace's squares on three maps (Deng et al. 2019, its MobileNet and ResNet versions)."""
    for stride, sides in ((8, (16, 32)), (16, (64, 128)), (32, (256, 512))):
        shapes = tuple((side / size[0], side / size[1]) for side in sides)
        yield Level(_cells(size, stride), shapes, stride)


def _cells(size: Size, stride: int) -> Size:
    return -(-size[0] // stride), -(-size[1] // stride)


MADE: dict[str, Callable[[Size], Iterator[Level]]] = {
    "tensorflow": _tensorflow,
    "ssd300": _ssd300,
    "ultraface": _ultraface,
    "facemask": _facemask,
    "retinaface": _retinaface,
}


def kind_of_priors(count: int, size: Size) -> str | None:
    """Return the one kind that makes so many priors for an input of ``size``, if there is one."""
    kinds = [kind for kind in MADE if len(priors(kind, size)) == count]
    return kinds[0] if len(kinds) == 1 else None

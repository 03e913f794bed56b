"""YOLOX's raw grid (Ge et al. 2021, https://github.com/Megvii-BaseDetection/YOLOX)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.decoders import OptionError, Outputs, Spec, sole
from engines.decoders.candidates import classify, corners, suppress
from engines.found import Boxes

STRIDES = (8, 16, 32)


def decode(
    outputs: Outputs,
    spec: Spec,
    *,
    output: str | None = None,
    strides: tuple[int, ...] = STRIDES,
) -> Boxes:
    """Boxes of a (1, cells, 5 + classes) output.

    A cell holds x, y, w, h as xy = (p + cell) * stride and wh = exp(p) * stride, then objectness
    and class scores, all of these already through a sigmoid.

    Args:
        outputs: the network's outputs by name.
        spec: labels, thresholds, overlap, input size.
        output: name of the output; may be left out when there is only one.
        strides: of the grids, in the order in which they are concatenated.

    Raises:
        OptionError: the output has another shape than strides, size and labels ask for.
    """
    cells = sole(outputs, output)
    grid = _grid(spec.size, strides)
    expected = (1, len(grid), 5 + len(spec.labels))
    if cells.shape != expected:
        raise OptionError(f"yolox: expected an output of shape {expected}, got {cells.shape}")
    # A product with class scores <= 1 cannot exceed the objectness: few cells are left to look at.
    likely = np.flatnonzero(cells[0, :, 4] >= spec.threshold.min())
    return of_cells(cells[0, likely], grid[likely], spec)


def of_cells(cells: NDArray[Any], grid: NDArray[np.float32], spec: Spec) -> Boxes:
    """Return the boxes of some cells.

    Args:
        cells: (n, 5 + classes) as the network gives them.
        grid: (n, 3) column, row and stride of each.
        spec: as of ``decode``.
    """
    found = cells.astype(np.float32, copy=False)
    rows, score, class_id = classify(found[:, 5:] * found[:, 4:5], spec.threshold)
    at = grid[rows]
    centre = (found[rows, :2] + at[:, :2]) * at[:, 2:]
    size = np.exp(found[rows, 2:4]) * at[:, 2:]
    return suppress(Boxes(corners(np.hstack([centre, size])), score, class_id), spec)


def of_picked(
    cells: NDArray[Any],
    picked: NDArray[np.int32],
    count: int,
    spec: Spec,
    strides: tuple[int, ...] = STRIDES,
) -> Boxes:
    """Return the boxes of cells that were picked before.

    Args:
        cells: (n, 5 + classes) as the network gives them.
        picked: (n,) their places in the network's output.
        count: of cells in that.
        spec, strides: as of ``decode``.

    Raises:
        OptionError: the output has another size than strides and size ask for.
    """
    grid = _grid(spec.size, strides)
    if len(grid) != count:
        raise OptionError(f"yolox: expected an output of {len(grid)} cells, got {count}")
    return of_cells(cells, grid[picked], spec)


@lru_cache(maxsize=16)
def _grid(size: tuple[int, int], strides: tuple[int, ...]) -> NDArray[np.float32]:
    """(cells, 3): column, row and stride of each cell."""
    grids = []
    for stride in strides:
        row, column = np.mgrid[: size[1] // stride, : size[0] // stride]
        grids.append(np.stack([column, row, np.full_like(row, stride)], axis=-1).reshape(-1, 3))
    return np.concatenate(grids).astype(np.float32)

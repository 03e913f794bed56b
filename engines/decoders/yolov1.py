"""The grid of the first YOLO (Redmon et al. 2016): S x S cells, B boxes and C classes in each."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engines.decoders import OptionError, Outputs, Spec, sole
from engines.decoders.candidates import classify, corners, suppress
from engines.found import Boxes

Layout = Literal["last", "first", "blocks"]


def decode(  # noqa: PLR0913 - its arguments are the options of a manifest
    outputs: Outputs,
    spec: Spec,
    *,
    output: str | None = None,
    grid: int = 7,
    boxes: int = 2,
    layout: Layout = "last",
    cell: Literal["boxes-classes", "classes-boxes"] = "boxes-classes",
    box: Literal["xywhc", "cxywh"] = "xywhc",
    root: bool = True,
) -> Boxes:
    """Boxes of a network that gives S * S * (B * 5 + C) numbers.

    x and y are the centre's place in its cell, w and h the size in parts of the image, c the
    confidence; a box's score for a class is c times the cell's probability of that class.

    Args:
        outputs: the network's outputs by name.
        spec: labels, thresholds, overlap, input size.
        output: name of the output; may be left out when there is only one.
        grid: S, cells in a row and in a column.
        boxes: B, boxes of each cell.
        layout: of (1, S, S, B * 5 + C) or flat: channels ``last``; (1, B * 5 + C, S, S): ``first``;
            ``blocks`` for Darknet's flat vector: classes of all cells, then confidences, then
            x, y, w, h of all boxes.
        cell: in a cell, which come first; of no meaning for blocks.
        box: order in a box; of no meaning for blocks.
        root: w and h are square roots, as the paper trains them.

    Raises:
        OptionError: the output has not as many numbers as grid, boxes and labels ask for.
    """
    numbers = sole(outputs, output)
    classes, depth = len(spec.labels), boxes * 5 + len(spec.labels)
    shape = (depth, grid, grid) if layout == "first" else (grid, grid, depth)
    allowed = {(1, grid * grid * depth)} | ({(1, *shape)} if layout != "blocks" else set())
    if numbers.shape not in allowed:
        words = " or ".join(str(one) for one in sorted(allowed, key=len, reverse=True))
        raise OptionError(
            f"yolov1: expected an output of shape {words}: {grid} * {grid} cells of {boxes} boxes "
            f"and {classes} labels; got {numbers.shape}"
        )
    flat = numbers.reshape(-1).astype(np.float32)
    if layout == "blocks":
        xywhc, chances = _blocks(flat, grid * grid, boxes, classes)
    else:
        cells = flat.reshape(shape).transpose((1, 2, 0) if layout == "first" else (0, 1, 2))
        xywhc, chances = _cells(cells.reshape(grid * grid, depth), boxes, cell, box)
    return suppress(_boxes(xywhc, chances, spec, grid, root), spec)


def _cells(
    cells: NDArray[np.float32], boxes: int, cell: str, box: str
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(cells, boxes, 5) as x, y, w, h, confidence, and (cells, classes)."""
    after = cell == "classes-boxes"
    at = cells.shape[1] - boxes * 5 if after else 0
    rows = cells[:, at : at + boxes * 5].reshape(len(cells), boxes, 5)
    chances = cells[:, :at] if after else cells[:, boxes * 5 :]
    return (rows if box == "xywhc" else np.roll(rows, -1, axis=2)), chances


def _blocks(
    flat: NDArray[np.float32], cells: int, boxes: int, classes: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    chances, confidence, xywh = np.split(flat, [cells * classes, cells * (classes + boxes)])
    rows = np.concatenate(
        [xywh.reshape(cells, boxes, 4), confidence.reshape(cells, boxes, 1)], axis=2
    )
    return rows, chances.reshape(cells, classes)


def _boxes(
    xywhc: NDArray[np.float32], chances: NDArray[np.float32], spec: Spec, grid: int, root: bool
) -> Boxes:
    boxes = xywhc.shape[1]
    scores = (xywhc[:, :, 4:] * chances[:, None]).reshape(-1, chances.shape[1])
    rows, score, class_id = classify(scores, spec.threshold)
    row, column = np.divmod(rows // boxes, grid)
    found = xywhc.reshape(-1, 5)[rows]
    centre = (found[:, :2] + np.stack([column, row], axis=1)) / grid
    size = found[:, 2:4] ** 2 if root else found[:, 2:4]
    cxcywh = np.hstack([centre, size]) * np.array(spec.size * 2, np.float32)
    return Boxes(corners(cxcywh), score, class_id)

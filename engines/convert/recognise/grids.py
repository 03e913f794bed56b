"""Networks with a box, or three, in each cell of a grid: the YOLO families in one output."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.convert.recognise.evidence import Fit, Grid, Misfit, Seen, Tensor, are_chances, grid_of


def dense(seen: Seen) -> list[Fit]:
    """``yolov5``, ``yolov8`` or ``yolox``, by the cells, the columns and where the boxes lie."""
    tensor, grid, first = _find(seen)
    table = tensor.value[0].T if first else tensor.value[0]
    columns = table.shape[1]
    where = f"{tensor}: {grid}"
    with_objectness = _fits(columns - 5, seen.count) and not first
    without = _fits(columns - 4, seen.count) and grid.anchors == 1
    if not with_objectness and not without:
        four = [] if grid.anchors > 1 else [f"4 + {columns - 4}"]
        five = [] if first else [f"5 + {columns - 5}"]
        raise Misfit(
            f"{where}; but {columns} is {' or '.join(four + five)}, not with {seen.count} labels",
            "as many names in --labels as the outputs have",
        )
    low, high = float(table[:, 4:].min()), float(table[:, 4:].max())
    if not are_chances(table[:, 4:]):
        raise Misfit(f"{where}; but its scores are no probabilities, from {low:.3g} to {high:.3g}")
    placed = grid.followed_by(table[:, 0], table[:, 1])
    both = with_objectness and without
    fits = []
    if with_objectness:
        reason = f"{columns} = 4 + objectness + {columns - 5} labels"
        fits.append(_five(seen, tensor, grid, table, placed, (where, reason)))
    if without and placed:
        reason = f"{columns} = 4 + {columns - 4} labels; channels {'first' if first else 'last'}"
        fits.append(_four(seen, tensor, table, grid, first, (where, reason)))
    if not fits:
        raise Misfit(f"{where}; but its boxes do not lie at their cells, and nothing says how")
    key = "labels" if both else "decoder"
    return [replace(fit, key=key) for fit in fits]


def _fits(labels: int, count: int | None) -> bool:
    return labels >= 1 and count in (None, labels)


def _find(seen: Seen) -> tuple[Tensor, Grid, bool]:
    """The output, its grid, and whether its channels come first."""
    looked = []
    for tensor in seen.tensors:
        if tensor.value.ndim != 3 or tensor.shape[0] != 1 or tensor.value.dtype.kind != "f":
            continue
        for axis in (2, 1):
            grid = grid_of(tensor.shape[axis], seen.size)
            if grid is not None and tensor.shape[3 - axis] >= 5:
                return tensor, grid, axis == 2
        looked.append(str(tensor))
    if not looked:
        raise Misfit("no output of three axes, (1, n, columns) or (1, columns, n)")
    cells = Grid(seen.size, (8, 16, 32)).count
    raise Misfit(
        f"{'; '.join(looked)}; an input of {seen.size[0]}x{seen.size[1]} has {cells} cells of "
        f"strides 8, 16, 32, or three times so many boxes"
    )


def _five(
    seen: Seen,
    tensor: Tensor,
    grid: Grid,
    table: NDArray[Any],
    placed: bool,
    reasons: tuple[str, ...],
) -> Fit:
    options = seen.sole(tensor)
    labels = table.shape[1] - 5
    if placed or grid.anchors > 1:
        extra, words = _in_parts(table)
        why = "x and y follow the cells" if placed else "three boxes a cell, as YOLOv5 has"
        said = (*reasons, f"{why}: boxes are decoded{words}")
        return Fit("yolov5", options | extra, labels, said, family=_family(table, grid))
    if grid.strides != (8, 16, 32):
        options["strides"] = list(grid.strides)
    said = (*reasons, "x and y do not follow the cells: they are still to be added, as in YOLOX")
    return Fit("yolox", options, labels, said, family="yolox")


def _family(table: NDArray[Any], grid: Grid) -> str:
    """YOLOv5's with three boxes a cell; with one YOLOX's, or YOLOv6's, whose objectness is 1."""
    return "yolo" if grid.anchors > 1 or np.all(table[:, 4] == 1) else "yolox"


def _four(
    seen: Seen,
    tensor: Tensor,
    table: NDArray[Any],
    grid: Grid,
    first: bool,
    reasons: tuple[str, ...],
) -> Fit:
    options, words = _in_parts(table)
    options = seen.sole(tensor) | ({} if first else {"channels": "last"}) | options
    if grid.followed_by(table[:, 2], table[:, 3]):
        options["format"] = "xyxy"
        family = ""
        words = f"all four box columns follow the cells: corners{words}"
    else:
        words = f"x and y follow the cells, width and height do not: centre and size{words}"
        family = "yolo" if first else ""
    return Fit("yolov8", options, table.shape[1] - 4, (*reasons, words), family=family)


def _in_parts(table: NDArray[Any]) -> tuple[dict[str, Any], str]:
    """The option of boxes in 0..1, where none is larger than two."""
    if float(np.abs(table[:, :4]).max()) <= 2:
        return {"normalised": True}, ", in parts of the input"
    return {}, ", in pixels"

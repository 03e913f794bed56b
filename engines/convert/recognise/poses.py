"""Pose networks: key points behind boxes, YuNet's landmarks, and the points of one object."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.convert.recognise.evidence import Fit, Grid, Misfit, Seen, Tensor, grid_of
from engines.convert.recognise.grids import dense
from engines.convert.recognise.heads import yunet
from engines.convert.recognise.queries import TABLES, is_table

_BOX = 6  # columns of a finished box: corners, score, class


def poses(seen: Seen) -> list[Fit]:
    """``yolov8_pose`` or ``rows_pose``: one output, whose columns end in key points."""
    tensor = seen.tensors[0]
    if len(seen.tensors) != 1 or tensor.value.ndim != 3 or tensor.shape[0] != 1:
        raise Misfit("not one output of three axes")
    for axis in (2, 1):
        grid = grid_of(tensor.shape[axis], seen.size)
        if grid is not None and grid.anchors == 1 and tensor.shape[3 - axis] > 6:
            return _of_cells(seen, tensor, grid, axis == 2)
    return [_of_rows(seen, tensor)]


def _of_cells(seen: Seen, tensor: Tensor, grid: Grid, first: bool) -> list[Fit]:
    table = tensor.value[0].T if first else tensor.value[0]
    columns = table.shape[1]
    follows = [
        at for at in range(5, columns - 1) if grid.followed_by(table[:, at], table[:, at + 1])
    ]
    first_point = follows[0] if follows else None
    if seen.count is not None:  # the first point alone may be too far from its cell
        first_point = 4 + seen.count if any(at >= 4 + seen.count for at in follows) else None
    if first_point is None:
        raise Misfit(
            f"{tensor}: {grid}; no column behind the scores follows the cells as points do"
        )
    start = first_point
    k, words = _points(table[:, start:], start)
    cut = tensor.value[:, :start] if first else tensor.value[..., :start]
    boxes = Tensor(f"{tensor.name} without its last {columns - start} channels", cut)
    fits = [fit for fit in dense(replace(seen, tensors=(boxes,))) if fit.decoder == "yolov8"]
    if not fits:
        raise Misfit(f"{words}; {boxes}: not YOLOv8's boxes, centre and size")
    return [
        replace(fit, decoder="yolov8_pose", reasons=(words, *fit.reasons), family="yolo", points=k)
        for fit in fits
    ]


def _of_rows(seen: Seen, tensor: Tensor) -> Fit:
    rows = tensor.value[0].astype(np.float64)
    if rows.shape[1] <= _BOX + 1 or not len(rows):
        raise Misfit(f"{tensor}: no cells of a grid, and no key points behind six columns")
    if not is_table(rows[:, :_BOX], TABLES[_BOX][0]):
        raise Misfit(f"{tensor}: no corners, score and class in the first six columns")
    k, words = _points(rows[:, _BOX:], _BOX)
    options: dict[str, Any] = {"normalised": True} if 0 < np.abs(rows[:, :4]).max() <= 2 else {}
    if seen.count is not None and rows[:, 5].max() == seen.count:
        options["first_class"] = 1
    return Fit(
        "rows_pose",
        options,
        None,
        (words, f"{tensor}: {len(rows)} finished boxes"),
        family="yolo",
        points=k,
    )


def _points(more: NDArray[Any], start: int) -> tuple[int, str]:
    """The number of key points in columns behind ``start`` others, and why."""
    count = more.shape[1]
    scored = count % 3 == 0 and bool(np.all((more[:, 2::3] >= -1e-4) & (more[:, 2::3] <= 1 + 1e-4)))
    if not scored and count % 2:
        raise Misfit(f"{count} columns behind {start} are no points of x, y and score, or x and y")
    k = count // (3 if scored else 2)
    each = "x, y and score" if scored else "x and y"
    return k, f"{start + count} = {start} + {k} key points of {each}"


def faces(seen: Seen) -> list[Fit]:
    """``yunet`` with its landmarks, the outputs kps_S."""
    names = {tensor.name: tensor for tensor in seen.tensors}
    fits = yunet(seen)
    marks = [t for name, t in names.items() if name.startswith("kps_")]
    widths = {t.shape[-1] for t in marks}
    if len(widths) != 1 or len(marks) != len([n for n in names if n.startswith("bbox_")]):
        raise Misfit("no outputs kps_S beside bbox_S")
    k = widths.pop() // 2
    why = f"outputs kps_S: {k} landmarks of each"
    return [replace(fit, reasons=(*fit.reasons, why), points=k) for fit in fits]


def landmarks(seen: Seen) -> list[Fit]:
    """``movenet`` or ``simcc``: the points of one object, and no box."""
    fit = _movenet(seen) or _simcc(seen)
    if fit is None:
        raise Misfit("neither (1, 1, k, 3), nor (1, k, bins) for columns and for rows")
    return [fit]


def _movenet(seen: Seen) -> Fit | None:
    tensor = seen.tensors[0]
    if len(seen.tensors) != 1 or tensor.value.ndim != 4 or tensor.shape[:2] != (1, 1):
        return None
    if tensor.shape[3] != 3 or not Tensor("score", tensor.value[..., 2]).is_chance:
        return None
    k = tensor.shape[2]
    return Fit(
        "movenet",
        {},
        1,
        (f"{tensor}: y, x and score of {k} key points",),
        family="movenet",
        points=k,
    )


def _simcc(seen: Seen) -> Fit | None:
    bins = [t for t in seen.tensors if t.value.ndim == 3 and t.shape[0] == 1]
    if len(bins) != 2 or len(seen.tensors) != 2 or bins[0].shape[1] != bins[1].shape[1]:
        return None
    for x, y in (bins, bins[::-1]):
        across, down = x.shape[2] / seen.size[0], y.shape[2] / seen.size[1]
        if across == down >= 1:
            break
    else:
        return None
    if seen.size[0] == seen.size[1] and x.name.lower().endswith("y"):
        x, y = y, x
    options: dict[str, Any] = {
        key: t.name for key, t in (("x", x), ("y", y)) if t.name != f"simcc_{key}"
    }
    k = x.shape[1]
    why = f"{x}, {y}: {across:g} bins a pixel of the columns and of the rows, for {k} key points"
    return Fit("simcc", options, 1, (why,), family="simcc", points=k)

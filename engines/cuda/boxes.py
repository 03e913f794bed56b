"""The rows of a detector's output in which something is found, picked on a GPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from engines.cuda.kinds import FLOATS, kind_of
from engines.cuda.launching import Launch, launch_over
from engines.decoders.candidates import MAX_CANDIDATES

_BLOCK = 256  # threads; that of ``pick_rows`` in boxes.cuh

# Field by field ``struct Sift`` of boxes.cuh.
SIFT = np.dtype(
    [
        *(
            (name, np.uint64)
            for name in ("table", "thresholds", "keys", "picked", "kept", "counts")
        ),
        *((name, np.int64) for name in ("table_apart", "block_apart")),
        *((name, np.int32) for name in ("kind", "rows", "columns", "row_stride", "column_stride")),
        *((name, np.int32) for name in ("first_class", "classes", "objectness", "limit")),
    ],
    align=True,
)


@dataclass(frozen=True, slots=True)
class Table:
    """A dense output of one image in a GPU's memory: a row for each place where a box may be.

    Attributes:
        address: of its first element.
        dtype: float32 or float16.
        rows: of the table.
        columns: of a row: box, scores and whatever else.
        first_class, classes: which columns are scores of classes, sigmoids applied.
        objectness: the column that these are multiplied by; None without one.
        columns_first: all rows of a column lie together, as in exports of YOLOv8.
    """

    address: int
    dtype: np.dtype[Any]
    rows: int
    columns: int
    first_class: int
    classes: int
    objectness: int | None = None
    columns_first: bool = False


@dataclass(frozen=True, slots=True)
class Sifted:
    """The addresses in a GPU's memory that rows are written to.

    Attributes:
        thresholds: (classes,) float32, the minimum score of each, 0 or more.
        keys: (rows) uint32, for work in between.
        picked: (limit) int32: which rows they are, ascending.
        kept: (limit, columns) float32: the rows.
        counts: (3) uint32, 0 before: rows kept, rows that reach a threshold, and how many values of
            the table are not finite.
        limit: at most so many rows are kept, those with the best scores, the first of equals.
    """

    thresholds: int
    keys: int
    picked: int
    kept: int
    counts: int
    limit: int = MAX_CANDIDATES


def sift(
    table: Table, to: Sifted, images: int = 1, apart: tuple[int, int] = (0, 0)
) -> tuple[Launch, Launch, Launch]:
    """Return the launches, in order, that keep the rows in which a class reaches its threshold.

    Of these rows the table's decoder makes the same boxes as of the whole table.

    Args:
        table: of the first image.
        to: where its rows go.
        images: how many there are.
        apart: bytes from the table of one to that of the next, and likewise of all in ``to``.

    Raises:
        ValueError: the table is of another type.
    """
    work = np.zeros((), SIFT)
    work["table"], work["kind"] = table.address, kind_of(table.dtype, FLOATS)
    for name in ("rows", "columns", "first_class", "classes"):
        work[name] = getattr(table, name)
    work["objectness"] = -1 if table.objectness is None else table.objectness
    strides = (1, table.rows) if table.columns_first else (table.columns, 1)
    work["row_stride"], work["column_stride"] = strides
    for name in ("thresholds", "keys", "picked", "kept", "counts", "limit"):
        work[name] = getattr(to, name)
    work["table_apart"], work["block_apart"] = apart
    values = min(to.limit, table.rows) * table.columns
    return (
        launch_over("score_rows", table.rows, 1, (_BLOCK, 1), work, images),
        launch_over("pick_rows", 1, 1, (_BLOCK, 1), work, images),
        launch_over("copy_rows", values, 1, (_BLOCK, 1), work, images),
    )

"""One table, a row a box, from networks with NMS inside: YOLOv10, YOLOv7's and OpenVINO's SSD."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from engines.decoders import OptionError, Outputs, Spec, sole
from engines.decoders.candidates import Candidates, to_xyxy
from engines.decoders.end_to_end import likely
from engines.found import Boxes

Column = Literal["left", "top", "right", "bottom", "score", "class", "picture", "skip"]
_CORNERS: tuple[Column, ...] = ("left", "top", "right", "bottom")
_NEEDED: tuple[Column, ...] = (*_CORNERS, "score", "class")
FINISHED = len(_NEEDED)  # columns of a row, in this order, before those of masks and key points


def decode(
    outputs: Outputs,
    spec: Spec,
    *,
    output: str | None = None,
    columns: tuple[Column, ...] = _NEEDED,
    normalised: bool = False,
    first_class: int = 0,
) -> Boxes:
    """Boxes of a (1, n, columns), (1, 1, n, columns) or (n, columns) output.

    Args:
        outputs: the network's outputs by name.
        spec: labels, thresholds, input size.
        output: name of the output; may be left out when there is only one.
        columns: what each column holds; ``picture`` is the number of the image in the batch, and
            rows of another than 0 are empty.
        normalised: boxes are in 0..1 of the input instead of its pixels.
        first_class: the class id of the first label; 1 where 0 is the background.

    Raises:
        OptionError: the output has another shape than ``columns`` asks for, or a class id has no
            label.
    """
    check_columns(columns, _NEEDED)
    table = rows_of("rows", sole(outputs, output), len(columns), ((), (1,), (1, 1)))
    if "picture" in columns:
        table = table[table[:, columns.index("picture")] == 0]
    score = table[:, columns.index("score")].astype(np.float32)
    kept, class_id = likely(table[:, columns.index("class")], score, spec, first_class)
    xyxy = table[kept][:, [columns.index(name) for name in _CORNERS]]
    return Boxes(to_xyxy(xyxy, "xyxy", spec.size if normalised else None), score[kept], class_id)


def check_columns(columns: Sequence[str], needed: Iterable[str]) -> None:
    """Check that each column that is needed is there once.

    Raises:
        OptionError: it is missing, or there twice.
    """
    missing = [name for name in needed if columns.count(name) != 1]
    if missing:
        raise OptionError(f"options.columns: expected {', '.join(missing)} once, got {columns}")


def rows_of(
    decoder: str, table: NDArray[Any], count: int, leads: Container[tuple[int, ...]]
) -> NDArray[Any]:
    """Return the (n, count) rows of an output.

    Args:
        decoder: named in the message.
        table: the output.
        count: its columns.
        leads: the shapes that may stand before the rows and columns.

    Raises:
        OptionError: the output has another shape.
    """
    if table.shape[:-2] not in leads or table.shape[-1:] != (count,):
        raise OptionError(f"{decoder}: expected an output (1, n, {count}), got {table.shape}")
    return table.reshape(-1, count)


def finished(
    rows: NDArray[np.float32], spec: Spec, normalised: bool, first_class: int
) -> Candidates:
    """Return the boxes of (n, 6 + further) rows that reach their thresholds.

    A row begins with left, top, right, bottom, score, class.

    Raises:
        OptionError: a class id has no label.
    """
    score = rows[:, 4].astype(np.float32)
    kept, class_id = likely(rows[:, 5], score, spec, first_class)
    xyxy = to_xyxy(rows[kept, :4], "xyxy", spec.size if normalised else None)
    return Candidates(xyxy, score[kept], class_id, rows[kept, FINISHED:].astype(np.float32))

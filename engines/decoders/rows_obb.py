"""One table of oriented boxes with NMS inside, or none needed: YOLO26-OBB, exports with NMS."""

from __future__ import annotations

from typing import Literal

import numpy as np

from engines.decoders import Outputs, Spec, sole
from engines.decoders.end_to_end import likely
from engines.decoders.rows import check_columns, rows_of
from engines.decoders.yolov8_obb import rotated_of
from engines.found import OrientedBoxes

Column = Literal["cx", "cy", "width", "height", "score", "class", "angle", "skip"]
_BOX: tuple[Column, ...] = ("cx", "cy", "width", "height")
_NEEDED: tuple[Column, ...] = (*_BOX, "score", "class", "angle")


def decode(
    outputs: Outputs,
    spec: Spec,
    *,
    output: str | None = None,
    columns: tuple[Column, ...] = _NEEDED,
    normalised: bool = False,
    first_class: int = 0,
) -> OrientedBoxes:
    """Oriented boxes of a (1, n, columns) or (n, columns) output.

    Args:
        outputs: the network's outputs by name.
        spec: labels, thresholds, input size.
        output: name of the output; may be left out when there is only one.
        columns: what each column holds; the angle is that of the width in radians, clockwise as
            seen.
        normalised: boxes are in 0..1 of the input instead of its pixels.
        first_class: the class id of the first label; 1 where 0 is the background.

    Raises:
        OptionError: the output has another shape than ``columns`` asks for, or a class id has no
            label.
    """
    check_columns(columns, _NEEDED)
    table = rows_of("rows_obb", sole(outputs, output), len(columns), ((), (1,)))
    table = table.astype(np.float32)
    score = table[:, columns.index("score")]
    rows, class_id = likely(table[:, columns.index("class")], score, spec, first_class)
    box = table[rows][:, [columns.index(name) for name in _BOX]]
    angle = table[rows, columns.index("angle")]
    size = spec.size if normalised else None
    return OrientedBoxes.of(rotated_of(box, angle, size), score[rows], class_id)

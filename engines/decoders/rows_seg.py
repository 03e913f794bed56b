"""Instance masks of networks with NMS inside, as YOLO26 exports them: rows and prototypes."""

from __future__ import annotations

from engines.decoders import OptionError, Outputs, Spec
from engines.decoders.prototypes import Finer, table_and_prototypes, with_masks
from engines.decoders.rows import FINISHED, finished
from engines.found import Instances


def decode(
    outputs: Outputs,
    spec: Spec,
    *,
    output: str | None = None,
    prototypes: str | None = None,
    normalised: bool = False,
    first_class: int = 0,
    finer: Finer = 2,
) -> Instances:
    """Boxes with masks of (1, n, 6 + p) and (1, p, h, w) outputs; nothing is suppressed.

    A row holds left, top, right, bottom in input pixels, score, class, and the p coefficients of
    the object's mask.

    Args:
        outputs: the network's outputs by name.
        spec: labels, thresholds, input size.
        output: name of the rows; may be left out when only one output has three axes.
        prototypes: name of the prototypes, also (1, h, w, p); likewise, of four axes.
        normalised: boxes are in 0..1 of the input instead of its pixels.
        first_class: the class id of the first label; 1 where 0 is the background.
        finer: pixels of a mask along each side of a prototype's cell, interpolated.

    Raises:
        OptionError: the outputs do not fit each other, or a class id has no label.
    """
    rows, planes, count = table_and_prototypes(outputs, output, prototypes, FINISHED, "rows_seg")
    if rows.shape[1] != FINISHED + count:
        raise OptionError(
            f"rows_seg: expected (1, n, {FINISHED} + {count}), got (1, *{rows.shape})"
        )
    return with_masks(finished(rows, spec, normalised, first_class), planes, spec, finer)

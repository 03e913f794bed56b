"""Instance masks in the layout of YOLOv5 and v7: rows with objectness and a set of prototypes."""

from __future__ import annotations

from engines.decoders import OptionError, Outputs, Spec
from engines.decoders.candidates import suppress
from engines.decoders.prototypes import Finer, table_and_prototypes, with_masks
from engines.decoders.yolov5 import likely
from engines.found import Instances


def decode(
    outputs: Outputs,
    spec: Spec,
    *,
    output: str | None = None,
    prototypes: str | None = None,
    normalised: bool = False,
    finer: Finer = 2,
) -> Instances:
    """Boxes with masks of (1, n, 5 + classes + p) and (1, p, h, w) outputs.

    A row holds cx, cy, w, h in input pixels, objectness and class scores with their sigmoids
    applied, and the p coefficients of the object's mask.

    Args:
        outputs: the network's outputs by name.
        spec: labels, thresholds, overlap, input size.
        output: name of the table; may be left out when only one output has three axes.
        prototypes: name of the prototypes, also (1, h, w, p); likewise, of four axes.
        normalised: boxes are in 0..1 of the input instead of its pixels.
        finer: pixels of a mask along each side of a prototype's cell, interpolated.

    Raises:
        OptionError: the outputs do not fit each other or the labels.
    """
    known = 5 + len(spec.labels)
    rows, planes, count = table_and_prototypes(outputs, output, prototypes, known, "yolov5_seg")
    if rows.shape[1] != known + count:
        raise OptionError(f"yolov5_seg: expected (1, n, {known + count}), got (1, *{rows.shape})")
    return with_masks(suppress(likely(rows, spec, normalised), spec), planes, spec, finer)

"""Exports in the layout of YOLOv8 and YOLO11: channels first, no objectness."""

from __future__ import annotations

import numpy as np

from engines.decoders import Boxes, OptionError, Outputs, Spec, sole
from engines.decoders.candidates import classify, corners, suppress


def decode(outputs: Outputs, spec: Spec, *, output: str | None = None) -> Boxes:
    """Boxes of a (1, 4 + classes, n) output.

    A column holds cx, cy, w, h in input pixels and class scores, sigmoids applied.

    Args:
        outputs: the network's outputs by name.
        spec: labels, thresholds, overlap.
        output: name of the output; may be left out when there is only one.

    Raises:
        OptionError: the output has another shape than the labels ask for.
    """
    columns = sole(outputs, output)
    expected = 4 + len(spec.labels)
    if columns.ndim != 3 or columns.shape[:2] != (1, expected):
        raise OptionError(f"yolov8: expected an output (1, {expected}, n), got {columns.shape}")
    # The maximum along the long axis as it lies in memory is 3 times faster than transposed.
    likely = np.flatnonzero(columns[0, 4:].max(axis=0) >= spec.threshold.min())
    found = columns[0, :, likely].astype(np.float32, copy=False)
    rows, score, class_id = classify(found[:, 4:], spec.threshold)
    return suppress(Boxes(corners(found[rows, :4]), score, class_id), spec)

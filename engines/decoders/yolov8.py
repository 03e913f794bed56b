"""Exports in the layout of YOLOv8 and YOLO11: channels first, no objectness; also of PicoDet."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.decoders import OptionError, Outputs, Spec, sole
from engines.decoders.candidates import (
    Candidates,
    Channels,
    Format,
    classify,
    suppress,
    to_xyxy,
)
from engines.found import Boxes


def decode(
    outputs: Outputs,
    spec: Spec,
    *,
    output: str | None = None,
    format: Format = "cxcywh",
    channels: Channels = "first",
    normalised: bool = False,
    multi_label: bool = False,
) -> Boxes:
    """Boxes of a (1, 4 + classes, n) output.

    A column holds cx, cy, w, h in input pixels and class scores, sigmoids applied.

    Args:
        outputs: the network's outputs by name.
        spec: labels, thresholds, overlap.
        output: name of the output; may be left out when there is only one.
        format: of the box; YOLO9 of the MIT licence and PicoDet have corners.
        channels: where that axis is; last for (1, n, 4 + classes).
        normalised: boxes are in 0..1 of the input instead of its pixels, as in TF Lite exports.
        multi_label: a box counts for each class whose threshold it reaches, not for one alone.

    Raises:
        OptionError: the output has another shape than the labels ask for.
    """
    columns = sole(outputs, output)
    expected = 4 + len(spec.labels)
    if columns.ndim != 3 or columns.shape[0] != 1 or columns.shape[AXIS[channels]] != expected:
        shape = f"(1, {expected}, n)" if channels == "first" else f"(1, n, {expected})"
        raise OptionError(f"yolov8: expected an output {shape}, got {columns.shape}")
    table = columns[0] if channels == "first" else columns[0].T
    found = likely(table, spec, format, normalised, multi_label)
    return suppress(Boxes(found.xyxy, found.score, found.class_id), spec)


def likely(
    table: NDArray[np.float32],
    spec: Spec,
    format: Format = "cxcywh",
    normalised: bool = False,
    multi_label: bool = False,
) -> Candidates:
    """Return the boxes of a (4 + classes + further, n) table that reach their thresholds."""
    end = 4 + len(spec.labels)
    # The maximum along the long axis as it lies in memory is 3 times faster than transposed.
    rows = np.flatnonzero(table[4:end].max(axis=0) >= spec.threshold.min())
    found = table[:, rows].T.astype(np.float32, copy=False)
    kept, score, class_id = classify(found[:, 4:end], spec.threshold, multi_label)
    xyxy = to_xyxy(found[kept, :4], format, spec.size if normalised else None)
    return Candidates(xyxy, score, class_id, found[kept, end:])


AXIS = {"first": 1, "last": 2}

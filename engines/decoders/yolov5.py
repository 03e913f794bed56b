"""Exports in the layout of YOLOv5 (https://doi.org/10.5281/zenodo.3908559), also of v6 and v7."""

from __future__ import annotations

import numpy as np

from engines.decoders import OptionError, Outputs, Spec, sole
from engines.decoders.candidates import classify, suppress, to_xyxy
from engines.found import Boxes


def decode(
    outputs: Outputs, spec: Spec, *, output: str | None = None, normalised: bool = False
) -> Boxes:
    """Boxes of a (1, n, 5 + classes) output.

    A row holds cx, cy, w, h in input pixels, objectness and class scores, sigmoids applied.

    Args:
        outputs: the network's outputs by name.
        spec: labels, thresholds, overlap.
        output: name of the output; may be left out when there is only one.
        normalised: boxes are in 0..1 of the input instead of its pixels, as in TF Lite exports.

    Raises:
        OptionError: the output has another shape than the labels ask for.
    """
    rows_in = sole(outputs, output)
    expected = 5 + len(spec.labels)
    if rows_in.ndim != 3 or rows_in.shape[0] != 1 or rows_in.shape[2] != expected:
        raise OptionError(f"yolov5: expected an output (1, n, {expected}), got {rows_in.shape}")
    likely = np.flatnonzero(rows_in[0, :, 4] >= spec.threshold.min())
    found = rows_in[0, likely].astype(np.float32, copy=False)
    rows, score, class_id = classify(found[:, 5:] * found[:, 4:5], spec.threshold)
    xyxy = to_xyxy(found[rows, :4], "cxcywh", spec.size if normalised else None)
    return suppress(Boxes(xyxy, score, class_id), spec)

"""Exports in the layout of YOLOv5 (https://doi.org/10.5281/zenodo.3908559), also of v6 and v7."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.decoders import OptionError, Outputs, Spec, sole
from engines.decoders.candidates import Candidates, classify, suppress, to_xyxy
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
    found = suppress(likely(rows_in[0], spec, normalised), spec)
    return Boxes(found.xyxy, found.score, found.class_id)


def likely(table: NDArray[np.float32], spec: Spec, normalised: bool) -> Candidates:
    """Return the boxes of (n, 5 + classes + further) rows that reach their thresholds."""
    end = 5 + len(spec.labels)
    found = table[table[:, 4] >= spec.threshold.min()].astype(np.float32, copy=False)
    rows, score, class_id = classify(found[:, 5:end] * found[:, 4:5], spec.threshold)
    xyxy = to_xyxy(found[rows, :4], "cxcywh", spec.size if normalised else None)
    return Candidates(xyxy, score, class_id, found[rows, end:])

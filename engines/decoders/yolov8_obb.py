"""Oriented boxes in the layout of the OBB exports of YOLOv8 and YOLO11: an angle comes last."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.decoders import OptionError, Outputs, Spec, sole
from engines.decoders.candidates import MAX_CANDIDATES, Channels, best, classify
from engines.found import OrientedBoxes
from engines.rotated import kept
from mirante.rotated import within_half_turn


def decode(
    outputs: Outputs,
    spec: Spec,
    *,
    output: str | None = None,
    channels: Channels = "first",
    normalised: bool = False,
) -> OrientedBoxes:
    """Oriented boxes of a (1, 4 + classes + 1, n) output.

    A column holds cx, cy, w, h in input pixels, class scores, sigmoids applied, and the angle of
    the side w in radians, clockwise as seen. Of boxes of one class whose exact overlap exceeds
    ``spec.iou`` the best is kept.

    Args:
        outputs: the network's outputs by name.
        spec: labels, thresholds, overlap.
        output: name of the output; may be left out when there is only one.
        channels: where that axis is; last for (1, n, 4 + classes + 1).
        normalised: boxes are in 0..1 of the input instead of its pixels, as in TF Lite exports.

    Raises:
        OptionError: the output has another shape than the labels ask for.
    """
    columns = sole(outputs, output)
    expected = 5 + len(spec.labels)
    axis = 1 if channels == "first" else 2
    if columns.ndim != 3 or columns.shape[0] != 1 or columns.shape[axis] != expected:
        shape = f"(1, {expected}, n)" if channels == "first" else f"(1, n, {expected})"
        raise OptionError(f"yolov8_obb: expected an output {shape}, got {columns.shape}")
    table = columns[0] if channels == "first" else columns[0].T
    likely = np.flatnonzero(table[4:-1].max(axis=0) >= spec.threshold.min())
    found = table[:, likely].T.astype(np.float32, copy=False)
    rows, score, class_id = classify(found[:, 4:-1], spec.threshold)
    boxes = rotated_of(found[rows, :4], found[rows, -1], spec.size if normalised else None)
    made = OrientedBoxes.of(boxes, score, class_id)
    made = made.select(best(score, MAX_CANDIDATES))
    return made.select(kept(made.rotated, made.class_id, spec.iou))


def rotated_of(
    cxcywh: NDArray[np.float32], angle: NDArray[np.float32], size: tuple[int, int] | None
) -> NDArray[np.float32]:
    """Return (n, 5) rotated boxes of (n, 4) centres and sizes and (n,) angles in radians.

    Args:
        cxcywh: in pixels.
        angle: of the width.
        size: width and height that boxes in 0..1 are parts of; None for boxes in pixels.
    """
    boxes = cxcywh if size is None else cxcywh * np.array(size * 2, np.float32)
    return np.concatenate([boxes, within_half_turn(angle)[:, None]], axis=1, dtype=np.float32)

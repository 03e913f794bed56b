"""Networks that end at boxes, labels and scores: DETR's descendants, or with NMS in the graph."""

from __future__ import annotations

from typing import Literal

import numpy as np

from engines.decoders import Boxes, OptionError, Outputs, Spec, output
from engines.decoders.candidates import corners


def decode(
    outputs: Outputs,
    spec: Spec,
    *,
    boxes: str = "boxes",
    labels: str = "labels",
    scores: str = "scores",
    format: Literal["xyxy", "cxcywh"] = "xyxy",
    normalised: bool = False,
) -> Boxes:
    """Boxes above their thresholds, as the network gives them; nothing is suppressed.

    Args:
        outputs: the network's outputs by name.
        spec: labels, thresholds, input size.
        boxes: name of the (1, n, 4) output.
        labels: name of the (1, n) output of class ids.
        scores: name of the (1, n) output.
        format: corners, or centre and size.
        normalised: boxes are in 0..1 of the input instead of its pixels.

    Raises:
        OptionError: the outputs do not fit each other, or a class id has no label.
    """
    xyxy, class_id, score = (output(outputs, name) for name in (boxes, labels, scores))
    n = xyxy.shape[1] if xyxy.ndim == 3 else -1
    if xyxy.shape != (1, n, 4) or score.shape != (1, n) or class_id.shape != (1, n):
        shapes = f"{xyxy.shape}, {class_id.shape}, {score.shape}"
        raise OptionError(f"end_to_end: expected (1, n, 4), (1, n), (1, n), got {shapes}")
    ids = class_id[0].astype(np.int32)
    likely = np.flatnonzero(score[0] >= spec.threshold.min())
    if len(likely) and not 0 <= ids[likely].min() <= ids[likely].max() < len(spec.labels):
        raise OptionError(f"end_to_end: expected classes below {len(spec.labels)}, got {ids.max()}")
    kept = likely[score[0, likely] >= spec.threshold[ids[likely]]]
    found = xyxy[0, kept].astype(np.float32)
    if normalised:
        found *= np.array(spec.size * 2, np.float32)
    if format == "cxcywh":
        found = corners(found)
    return Boxes(found, score[0, kept].astype(np.float32), ids[kept])

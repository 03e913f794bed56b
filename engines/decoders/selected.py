"""Networks that end at an ONNX NonMaxSuppression: which of their boxes it chose, by number."""

from __future__ import annotations

import numpy as np

from engines.decoders import OptionError, Outputs, Spec, output
from engines.decoders.candidates import Format, to_xyxy
from engines.found import Boxes


def decode(
    outputs: Outputs,
    spec: Spec,
    *,
    boxes: str = "boxes",
    scores: str = "scores",
    selected: str = "selected_indices",
    format: Format = "yxyx",
    normalised: bool = False,
) -> Boxes:
    """The chosen boxes whose scores reach their thresholds; nothing more is suppressed.

    Args:
        outputs: the network's outputs by name.
        spec: labels, thresholds, input size.
        boxes: name of the (1, n, 4) output.
        scores: name of the (1, classes, n) output.
        selected: name of the (k, 3) or (1, k, 3) output: numbers of image, class and box; -1 is
            none.
        format: corners top first, as ONNX has them, or left first, or centre and size.
        normalised: boxes are in 0..1 of the input instead of its pixels.

    Raises:
        OptionError: the outputs do not fit each other or the labels.
    """
    found, chances, rows = (output(outputs, name) for name in (boxes, scores, selected))
    rows = rows[0] if rows.ndim == 3 and len(rows) == 1 else rows
    n = found.shape[-2] if found.ndim == 3 else -1
    expected = (1, len(spec.labels), n)
    if found.shape != (1, n, 4) or chances.shape != expected or rows.shape[1:] != (3,):
        raise OptionError(
            f"selected: expected (1, n, 4), (1, {len(spec.labels)}, n) and (k, 3), got "
            f"{found.shape}, {chances.shape}, {rows.shape}"
        )
    rows = rows[(rows >= 0).all(axis=1)].astype(np.intp)
    class_id, box = rows[:, 1], rows[:, 2]
    score = chances[0, class_id, box].astype(np.float32)
    # Corners may be any two that lie across from each other.
    xyxy = to_xyxy(found[0, box], format, spec.size if normalised else None)
    xyxy = np.hstack([np.minimum(xyxy[:, :2], xyxy[:, 2:]), np.maximum(xyxy[:, :2], xyxy[:, 2:])])
    kept = np.flatnonzero(score >= spec.threshold[class_id])
    return Boxes(xyxy[kept], score[kept], class_id[kept].astype(np.int32))

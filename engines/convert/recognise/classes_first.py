"""Boxes (1, n, 4) beside scores (1, classes, n), as Paddle's detectors end without NMS."""

from __future__ import annotations

from dataclasses import replace

from engines.convert.recognise.evidence import Fit, Misfit, Seen, Tensor
from engines.convert.recognise.queries import pairs


def classes_first(seen: Seen) -> list[Fit]:
    """``boxes_scores`` with the classes before the boxes, by what it is with the axes turned."""
    three = [t for t in seen.tensors if t.value.ndim == 3 and t.shape[0] == 1]
    boxes = [t for t in three if t.shape[2] == 4]
    scores = [t for t in three if t not in boxes]
    if len(boxes) != 1 or len(scores) != 1 or scores[0].shape[2] != boxes[0].shape[1]:
        raise Misfit("not boxes (1, n, 4) and scores (1, classes, n)")
    if scores[0].shape[1] == scores[0].shape[2]:
        raise Misfit(f"{scores[0]}: which axis is of classes is not seen")
    turned = Tensor(scores[0].name, scores[0].value.transpose(0, 2, 1), scores[0].op)
    fits = pairs(replace(seen, tensors=(boxes[0], turned)))
    found = [fit for fit in fits if fit.decoder == "boxes_scores"]
    if not found:
        raise Misfit(f"{boxes[0]}; {scores[0]}: not the boxes of a grid, nor more than queries")
    why = f"{scores[0]}: classes first"
    return [
        replace(fit, options=fit.options | {"channels": "first"}, reasons=(*fit.reasons, why))
        for fit in found
    ]

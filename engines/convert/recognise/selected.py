"""Networks whose ONNX NonMaxSuppression is an output."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.convert.recognise.evidence import Fit, Misfit, Seen, Tensor

_CLEAR = 2.0  # times as far apart as in the other direction


def selected(seen: Seen) -> list[Fit]:
    """``selected``, by rows of three whole numbers beside boxes and scores with classes first."""
    rows = [
        t
        for t in seen.tensors
        if t.value.dtype.kind in "iu" and t.shape[-1:] == (3,) and t.shape[:-2] in ((), (1,))
    ]
    rows = [t for t in rows if t.value.ndim > 1]
    boxes = [t for t in seen.tensors if t.value.ndim == 3 and t.shape[::2] == (1, 4)]
    if len(rows) != 1 or not boxes:
        raise Misfit("no output (k, 3) of whole numbers beside boxes (1, n, 4)")
    pairs = [
        (b, s)
        for b in boxes
        for s in seen.tensors
        if s.value.ndim == 3 and s is not b and s.shape[0] == 1 and s.shape[2] == b.shape[1]
    ]
    if len(pairs) != 1:
        raise Misfit(f"{rows[0]}; not one pair of boxes (1, n, 4) and scores (1, classes, n)")
    found, scores = pairs[0]
    if not scores.is_chance:
        raise Misfit(f"{scores.name} reaches {scores.span}: no scores")
    labels = scores.shape[1]
    if seen.count not in (None, labels):
        raise Misfit(f"{scores}: {labels} classes are not {seen.count} labels")
    named = {"boxes": found, "scores": scores, "selected": rows[0]}
    default = {"boxes": "boxes", "scores": "scores", "selected": "selected_indices"}
    options: dict[str, Any] = {k: t.name for k, t in named.items() if t.name != default[k]}
    reasons = (f"{rows[0]}: image, class and box that its NonMaxSuppression chose", f"{found}")
    table = found.value[0].astype(np.float64)
    if float(np.abs(table).max(initial=0)) <= 2:
        options["normalised"] = True
    return [
        Fit("selected", options | more, labels, (*reasons, f"{scores}", why), "options.format")
        for more, why in _formats(found, table)
    ]


def _formats(boxes: Tensor, table: NDArray[Any]) -> list[tuple[dict[str, Any], str]]:
    """How boxes may be written: to a suppression, left and top first are the same."""
    low, high = table[:, :2], table[:, 2:]
    if np.mean((high >= low).all(axis=1)) < 0.98 and np.mean((high <= low).all(axis=1)) < 0.98:
        return [({"format": "cxcywh"}, f"{boxes.name}: centre and size")]
    sums: NDArray[np.float64] = low + high
    steps = np.abs(np.diff(sums, axis=0)).mean(axis=0)
    top_first: tuple[dict[str, Any], str]
    top_first = ({}, "corners, top first: along a row of cells the second column changes")
    left_first = ({"format": "xyxy"}, "corners, left first: the first column changes along a row")
    if len(table) > 2 and steps[1] > _CLEAR * steps[0]:
        return [top_first]
    if len(table) > 2 and steps[0] > _CLEAR * steps[1]:
        return [left_first]
    return [top_first, left_first]

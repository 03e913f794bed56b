"""SSD's raw heads: shifts of priors, which are known by their number or are an output."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.convert.recognise.evidence import Fit, Misfit, Seen, Tensor, are_boxes
from engines.decoders.priors import MADE, kind_of_priors, priors

_SCORES = re.compile("score|class|cls|conf|logit")
_WITHOUT_BACKGROUND = ("facemask",)
_LANDMARKS = 10  # x and y of five, beside RetinaFace's boxes
HELPS = f"--decoder ssd --option anchors=… ({', '.join(MADE)}, or a list of levels: docs/models.md)"


def ssd(seen: Seen) -> list[Fit]:
    """``ssd``, by the number of priors of a known kind, or priors as a third output."""
    shifts, scores = _heads(seen)
    n = scores.shape[1]
    same = [t for t in shifts if t.value.size == n * 4]
    if len(same) == 2 and len(shifts) == 2:
        return [_with_output(seen, same, scores)]
    if len(same) != 1:
        raise Misfit(f"{scores}, and {len(same)} outputs of as many shifts; expected one")
    table = same[0].value.reshape(-1, 4)
    if are_boxes(table, seen.size) and float(np.abs(table).max()) > 0:
        raise Misfit(f"{same[0]}: boxes that are decoded already, {same[0].span}")
    if (given := seen.options.get("anchors")) is not None:
        return [_fit(seen, same[0], scores, {"anchors": given}, f"anchors {given}, as asked")]
    kind = kind_of_priors(n, seen.size)
    if kind is None:
        counts = ", ".join(f"{each} {len(priors(each, seen.size))}" for each in MADE)
        raise Misfit(
            f"{same[0]}: shifts of {n} priors, {same[0].span}, of no kind that is known: for "
            f"{seen.size[0]}x{seen.size[1]} {counts}",
            HELPS,
        )
    why = f"{same[0]}: the {n} priors of {kind} for this size"
    options: dict[str, Any] = {"anchors": kind}
    if kind == "tensorflow":
        options["order"] = "yxhw"
    return [_fit(seen, same[0], scores, options, why)]


def _heads(seen: Seen) -> tuple[list[Tensor], Tensor]:
    """The outputs of four columns and that of the scores."""
    three = [t for t in seen.tensors if t.value.ndim >= 2 and t.value.size]
    fours = [t for t in three if t.shape[-1] == 4]
    scores = [t for t in three if t.value.ndim == 3 and t.shape[-1] != 4]
    if not scores:  # three labels and a background are four columns, too
        scores = [t for t in fours if t.value.ndim == 3 and _SCORES.search(t.name.lower())]
        fours = [t for t in fours if t not in scores]
    if len(scores) == 2:
        scores = [t for t in scores if t.shape[2] != _LANDMARKS] or scores
    if not fours or len(scores) != 1:
        raise Misfit("not shifts (1, n, 4) and scores (1, n, classes)")
    return fours, scores[0]


def _with_output(seen: Seen, same: list[Tensor], scores: Tensor) -> Fit:
    given = seen.options.get("anchors")
    anchors = [t for t in same if t.name == given] or [
        t for t in same if "anchor" in t.name.lower() or "prior" in t.name.lower()
    ]
    if len(anchors) != 1:
        raise Misfit(
            f"{same[0].name} or {same[1].name}: which has the priors is not seen",
            "--decoder ssd --option anchors=NAME of the output of the priors",
        )
    shifts = same[0] if same[1] is anchors[0] else same[1]
    why = f"{anchors[0]}: priors, beside as many shifts {shifts.name}"
    options = {"anchors": anchors[0].name}
    first, second = (np.flatnonzero(np.diff(column)) for column in _centres(anchors[0]))
    if second.size and (not first.size or second[0] < first[0]):
        options["order"] = "yxhw"
        why += "; along a row its second column changes: y is first"
    return _fit(seen, shifts, scores, options, why)


def _centres(anchors: Tensor) -> NDArray[Any]:
    """(2, n) of the first two columns."""
    found: NDArray[Any] = anchors.value.reshape(-1, 4)[:, :2].T
    return found


def _fit(seen: Seen, shifts: Tensor, scores: Tensor, options: dict[str, Any], why: str) -> Fit:
    kind = options["anchors"]
    none = kind in _WITHOUT_BACKGROUND or seen.options.get("background") == "none"
    labels = scores.shape[2] - (not none)
    said = f"{labels} label{'s' * (labels > 1)}"
    said = said if none else f"a background and {said}"
    if seen.count not in (None, labels):
        raise Misfit(
            f"{why}; {scores.shape[2]} columns are {said}, not {seen.count} labels",
            f"{labels} names in --labels",
        )
    if scores.is_chance:
        activation, how = "none", "scores are probabilities"
    elif kind == "tensorflow" or none:
        activation, how = "sigmoid", "scores are logits, each by itself"
    else:
        activation, how = "softmax", "scores are logits, shared out as in the paper"
    named = {"boxes": shifts, "scores": scores}
    options |= {key: tensor.name for key, tensor in named.items() if tensor.name != key}
    options |= {} if activation == "sigmoid" else {"activation": activation}
    options |= {"background": "none"} if none else {}
    reasons = (why, f"{scores.shape[2]} = {said}", how)
    return Fit("ssd", options, labels, reasons, family=kind if kind in tuple(MADE) else "")

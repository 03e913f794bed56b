"""Classifiers: one row of numbers, which may be classes, an embedding, angles or a measure."""

from __future__ import annotations

import re

import numpy as np

from engines.convert.recognise.evidence import Fit, Misfit, Seen, Tensor

HELPS = "--decoder softmax, if they are classes all the same"
EMBED = "--task embed, if they are an embedding"
_NO_CLASSES = re.compile(
    "embed|feature|descriptor|identity|yaw|pitch|roll|angle|euler|head.?pose|gaze|landmark|keypoint"
    "|quality|age|depth"
)
_CLASSES = re.compile("class|logit|prob|softmax|label")
_POINTS = (136, 196, 212, 936, 956, 1404, 1434)  # of the meshes of faces that are published
_LONG = 64  # embeddings have a multiple of this many numbers
_DEGREES = 30.0  # logits of three classes do not come that far


def classifier(seen: Seen) -> list[Fit]:
    """``softmax``, of one output with a number for each label.

    A row that may be no classes at all is refused, unless a user names the decoder.
    """
    tensor = _row(seen)
    options = seen.sole(tensor)
    flat = Tensor(tensor.name, tensor.value.reshape(1, -1), tensor.op)
    if flat.op == "Softmax" or (flat.op != "Sigmoid" and flat.sums_to_one(1)):
        options["activation"], why = "none", "they sum to one: probabilities"
    elif (doubt := _doubt(seen, flat)) and seen.decoder != "softmax":
        may_be = re.search("embed|feature|descriptor|identity", doubt)
        raise Misfit(f"{tensor}: {doubt}", f"{EMBED}; or {HELPS}" if may_be else HELPS)
    elif flat.is_chance and flat.op in ("", "Sigmoid"):
        options |= {"activation": "none", "exclusive": False}
        why = "in 0..1 without summing to one: each label by itself"
    else:
        why = f"{tensor.span}: logits, taken to compete; exclusive: false where they do not"
    reasons = (f"{tensor}: {tensor.value.size} labels", why)
    return [Fit("softmax", options, tensor.value.size, reasons)]


def _row(seen: Seen) -> Tensor:
    """The one output of one row of numbers."""
    if all(tensor.value.size == 1 for tensor in seen.tensors):
        said = "a number alone" if len(seen.tensors) == 1 else "outputs of a number each"
        raise Misfit(
            f"{'; '.join(map(str, seen.tensors))}: {said}, as of a quality, an angle or an age; "
            "classes would be several",
            "a decoder of your own (docs/models.md)",
        )
    found = [t for t in seen.tensors if t.value.ndim in (1, 2, 4) and t.value.dtype.kind == "f"]
    found = [t for t in found if max(t.shape, default=0) == t.value.size > 1]
    if seen.count is None and len(seen.tensors) > 1:
        raise Misfit(f"{len(seen.tensors)} outputs, and the number of labels is unknown")
    if len(found) != 1 or (found[0].value.ndim != 1 and found[0].shape[0] != 1):
        raise Misfit("not one output of one row of numbers, (1, labels)")
    size = found[0].value.size
    if seen.count not in (None, size):
        raise Misfit(
            f"{found[0]}: {size} numbers are not {seen.count} labels", f"{size} names in --labels"
        )
    return found[0]


def _doubt(seen: Seen, row: Tensor) -> str:
    """What numbers that are no shares of one may be, if not classes; empty where that is nothing.

    Args:
        seen: the evidence.
        row: (1, n) numbers.
    """
    count = row.value.size
    values = row.value.astype(np.float64)
    if count >= _LONG // 2 and row.op != "Sigmoid" and 0.98 <= np.linalg.norm(values) <= 1.02:
        return "a vector of length 1, as an embedding is"
    for name in (row.name, *(seen.labels or ())[:3]):
        if (hint := _NO_CLASSES.search(name.lower())) and not _CLASSES.search(name.lower()):
            return f"no classes by its name {name} ({hint[0]})"
    if count <= 3 and float(np.abs(values).max()) > _DEGREES:
        return f"{row.span}: degrees of an angle, rather than logits"
    if seen.labels is not None or row.op == "Sigmoid":
        return ""
    return _unnamed(count)


def _unnamed(count: int) -> str:
    """What numbers without labels may be, by how many there are."""
    if count == 3:
        return "3 numbers without labels: classes, or angles, or a direction"
    if count % _LONG == 0:
        return f"{count} numbers without labels: classes, or an embedding"
    if count in _POINTS:
        return f"{count} numbers without labels: classes, or points of a face"
    return ""

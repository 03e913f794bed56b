"""Segmenters: which planes compete, and what is still to be applied."""

from __future__ import annotations

import re
from itertools import takewhile
from typing import Any

import numpy as np

from engines.convert.recognise.evidence import Fit, Misfit, Seen, Tensor

LEAST_SIDE = 8  # of a plane
_ALIKE = 4  # letters that a label and a word of its output's name begin with


def segmenter(seen: Seen) -> list[Fit]:
    """``class_ids``, ``argmax`` or ``sigmoid``, by the channels of outputs that are planes."""
    planes = [tensor for tensor in seen.tensors if is_plane(tensor, seen)]
    if not planes:
        shapes = "; ".join(map(str, seen.tensors))
        raise Misfit(f"no output of planes with the input's proportions: {shapes}")
    if len(planes) * 2 <= len(seen.tensors):
        raise Misfit(f"{len(planes)} of {len(seen.tensors)} outputs are planes: a detector's heads")
    ids = [tensor for tensor in planes if tensor.value.dtype.kind in "iu" or tensor.op == "ArgMax"]
    if ids:
        return [_class_ids(seen, ids)]
    if len({_last(tensor) for tensor in planes}) > 1:
        raise Misfit("some outputs have their channels first and others last")
    counts = [tensor.shape[_axis(tensor)] for tensor in planes]
    said = tuple(
        f"{tensor}: {count} plane{'s' * (count > 1)}"
        for tensor, count in zip(planes, counts, strict=True)
    )
    options: dict[str, Any] = {"channels": "last"} if _last(planes[0]) else {}
    fits, misfits = [], []
    for reading in (_argmax, _sigmoid):
        try:
            fits.append(reading(seen, planes, counts, options, said))
        except Misfit as misfit:
            misfits.append(str(misfit))
    if not fits:
        raise Misfit("; ".join((*said, *misfits)))
    return fits


def _argmax(
    seen: Seen,
    planes: list[Tensor],
    counts: list[int],
    options: dict[str, Any],
    said: tuple[str, ...],
) -> Fit:
    shares = all(tensor.sums_to_one(_axis(tensor)) for tensor in planes)
    all_of, without = sum(counts), sum(counts) - len(counts)
    alone = not shares and all(tensor.is_chance for tensor in planes)
    # Of two sigmoids an output, as YOLOP has, and one label, the other is the background's.
    of_pairs = set(counts) == {2} and seen.count == without
    if alone and not of_pairs:
        raise Misfit("in 0..1 without summing to one: they do not compete")
    if min(counts) < 2:
        raise Misfit("one plane has nothing to compete with")
    total = seen.count if seen.count is not None else all_of
    if total not in (all_of, without):
        raise Misfit(f"{all_of} planes do not fit {total} labels, nor with a background each")
    background = total == without
    why = "the planes sum to one: they compete" if shares else "logits that may compete"
    why = "two probabilities an output, the larger counts" if alone else why
    if background:
        why += f"; {total} labels and a background in each output, taken as its first"
    return Fit(
        "argmax",
        {**options, "planes": _named(seen, planes, counts, background)},
        total,
        (*said, why),
    )


def _sigmoid(
    seen: Seen,
    planes: list[Tensor],
    counts: list[int],
    options: dict[str, Any],
    said: tuple[str, ...],
) -> Fit:
    total = sum(counts)
    if seen.count not in (None, total):
        raise Misfit(f"{total} planes are not {seen.count} labels")
    if min(counts) > 1 and all(tensor.sums_to_one(_axis(tensor)) for tensor in planes):
        raise Misfit("the planes sum to one: they are not independent")
    inside = all(t.op == "Sigmoid" or (t.is_chance and not t.op.startswith("Conv")) for t in planes)
    spans = ", ".join(tensor.span for tensor in planes)
    why = f"{spans}: {'probabilities' if inside else 'logits, the sigmoid is still to be applied'}"
    named = _named(seen, planes, counts, False)
    return Fit(
        "sigmoid",
        {**options, "logits": not inside, "planes": named},
        total,
        (*said, why),
    )


def _class_ids(seen: Seen, planes: list[Tensor]) -> Fit:
    if len(planes) > 1:
        raise Misfit("several outputs of whole numbers")
    highest = int(planes[0].high) + 1
    numbers = seen.count or highest
    if highest > numbers + 1:
        raise Misfit(f"class numbers up to {highest - 1} for {numbers} labels")
    named = _named(seen, planes, [numbers], False)
    why = "whole numbers: the argmax is in the graph; the first label is number 0"
    return Fit("class_ids", {"planes": named}, numbers, (str(planes[0]), why))


def is_plane(tensor: Tensor, seen: Seen) -> bool:
    """Return whether it has two axes with the input's proportions and no more cells."""
    if tensor.value.ndim not in (3, 4) or tensor.shape[0] != 1:
        return False
    height, width = (
        tensor.shape[1:3] if _last(tensor) or tensor.value.ndim == 3 else tensor.shape[2:]
    )
    if min(height, width) < LEAST_SIDE:
        return False
    down, across = seen.size[1] / height, seen.size[0] / width
    return bool(np.isclose(down, across, rtol=0.1)) and down >= 0.9


def _last(tensor: Tensor) -> bool:
    """Return whether its channels come last: the shorter axis is the channels'."""
    return tensor.value.ndim == 4 and tensor.shape[3] < tensor.shape[1]


def _axis(tensor: Tensor) -> int:
    return 3 if _last(tensor) else 1


def _named(
    seen: Seen, planes: list[Tensor], counts: list[int], background: bool
) -> dict[str, list[str | None]]:
    """The labels of each output's planes, in order."""
    total = sum(counts) - len(counts) * background
    lead: list[str | None] = [None] if background else []
    labels = seen.labels or tuple(f"class_{i}" for i in range(total))
    if total == len(planes):
        labels = _by_name([tensor.name for tensor in planes], labels)
    names = iter(labels)
    return {
        tensor.name: lead + [next(names) for _ in range(count - len(lead))]
        for tensor, count in zip(planes, counts, strict=True)
    }


def _shared(one: str, other: str) -> int:
    """Return how many letters both begin with."""
    pairs = zip(one, other, strict=False)
    return len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))


def _by_name(outputs: list[str], labels: tuple[str, ...]) -> tuple[str, ...]:
    """Return the labels in the order of outputs that are called like them, else as they are.

    ``lane_line_seg`` is the output of ``lane``, ``drive_area_seg`` that of ``drivable``.
    """

    def alike(output: str, label: str) -> int:
        words = re.split(r"[^a-z]+", output.lower())
        return max(_shared(word, label.lower()) for word in words)

    best = [max(labels, key=lambda label: alike(output, label)) for output in outputs]
    are_sure = all(alike(*pair) >= _ALIKE for pair in zip(outputs, best, strict=True))
    return tuple(best) if are_sure and len(set(best)) == len(labels) else labels

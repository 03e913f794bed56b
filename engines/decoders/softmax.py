"""Classifiers: scores of the whole image or crop, as attributes of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.decoders import OptionError, Outputs, Spec, sole
from engines.decoders.probabilities import Activation, probabilities
from engines.found import Attributes
from mirante.detections import Attribute


def decode(
    outputs: Outputs,
    spec: Spec,
    *,
    output: str | None = None,
    activation: Activation = "softmax",
    exclusive: bool = True,
    groups: dict[str, list[str]] | None = None,
    name: str = "",
) -> Attributes:
    """The likeliest label, of all or of each group, where it reaches its threshold.

    Args:
        outputs: the network's outputs by name: (1, classes), (classes,), (1, classes, 1, 1) or
            (1, 1, 1, classes).
        spec: labels, in the order of the network's classes, and thresholds, NaN for none.
        output: name of the output; may be left out when there is only one.
        activation: softmax or sigmoid for logits, none for probabilities.
        exclusive: one label is true; else, without groups, each is an attribute of its own.
        groups: labels that exclude each other, by the name of the attribute; softmax is within
            each. A label in no group is not told.
        name: of the attribute where there are no groups; the model's own where empty.

    Raises:
        OptionError: the output has not one number for each label, or a group no such label.
    """
    scores = sole(outputs, output)
    count = len(spec.labels)
    if not max(scores.shape, default=0) == scores.size == count:
        raise OptionError(f"softmax: expected an output (1, {count}), got {scores.shape}")
    raw = scores.reshape(count)
    if groups is None:
        each = {one: [one] for one in spec.labels}
        groups = {name: list(spec.labels)} if exclusive else each
    found = {}
    for group, labels in groups.items():
        index = _indices(group, labels, spec.labels)
        best = _likeliest(probabilities(raw[index], activation), spec.threshold[index])
        if best is not None:
            found[group] = Attribute(labels[best[0]], best[1])
    return Attributes(found)


def _indices(group: str, labels: list[str], known: tuple[str, ...]) -> list[int]:
    for label in labels:
        if label not in known:
            raise OptionError(
                f'options.groups.{group}: no label "{label}"; there are {", ".join(known)}'
            )
    if not labels:
        raise OptionError(f"options.groups.{group}: expected at least one label, got none")
    return [known.index(label) for label in labels]


def _likeliest(
    chances: NDArray[np.float32], threshold: NDArray[np.float32]
) -> tuple[int, float] | None:
    """Index and score of the largest that is not below its threshold; None where all are."""
    reached = np.where(chances < threshold, np.float32(-1), chances)  # nothing is below NaN
    index = int(reached.argmax())
    return None if reached[index] < 0 else (index, float(min(reached[index], 1.0)))

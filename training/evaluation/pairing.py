"""Pair the classes of a model with those of the truth, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.head import check_labels


@dataclass(frozen=True, slots=True)
class Pairing:
    """Classes that both sides know.

    Attributes:
        labels: their names on the model's side; a class's number below is its place here.
        partners: their names on the side of the truth.
        model_only: classes of the model that are left out.
        truth_only: classes of the truth that are left out.
    """

    labels: tuple[str, ...]
    partners: tuple[str, ...]
    model_only: tuple[str, ...]
    truth_only: tuple[str, ...]


def pair(
    model: Sequence[str],
    truth: Sequence[str],
    match: Mapping[str, str] | None = None,
    classes: Sequence[str] = (),
) -> Pairing:
    """Pairs the classes.

    Args:
        model: the model's labels.
        truth: the truth's.
        match: for labels of the model, the truth's name where that is another.
        classes: labels of the model to measure; none for all.

    Raises:
        ValueError: a name is no label, or no class is on both sides.
    """
    match = match or {}
    check_labels("match", match, tuple(model))
    check_labels("match", match.values(), tuple(truth))
    check_labels("classes", classes, tuple(model))
    partner = {label: match.get(label, label) for label in model}
    labels = tuple(
        label for label in model if partner[label] in truth and (not classes or label in classes)
    )
    if not labels:
        raise ValueError(
            f"classes: the model has {', '.join(classes or model)}, the truth {', '.join(truth)}; "
            "none is on both sides (match pairs those of other names)"
        )
    partners = tuple(partner[label] for label in labels)
    return Pairing(
        labels,
        partners,
        tuple(label for label in model if label not in labels),
        tuple(label for label in truth if label not in partners),
    )


def numbers(labels: Sequence[str], wanted: Sequence[str]) -> NDArray[np.int64]:
    """(len(labels),) int64: the place of each label in ``wanted``, -1 where it is not there."""
    return np.array([wanted.index(name) if name in wanted else -1 for name in labels], np.int64)

"""From a network's last numbers to probabilities of the labels."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from engines.decoders import OptionError

Activation = Literal["none", "sigmoid", "softmax"]
Background = Literal["none", "first", "last"]


def probabilities(scores: NDArray[Any], activation: Activation) -> NDArray[np.float32]:
    """(…, classes) scores as probabilities, float32: as they are, each by itself, or shared out."""
    values = np.asarray(scores, np.float32)
    if activation == "sigmoid":
        half = np.tanh(values * np.float32(0.5)) * np.float32(0.5)  # never overflows
        return np.asarray(half + np.float32(0.5), np.float32)
    if activation == "softmax":
        raised = np.exp(values - values.max(axis=-1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=-1, keepdims=True), np.float32)
    return values


def of_labels(
    scores: NDArray[Any], activation: Activation, background: Background, labels: int
) -> NDArray[np.float32]:
    """(…, classes) scores as (…, labels) probabilities, without the column of the background.

    Raises:
        OptionError: there are not as many columns as ``labels`` and the background ask for.
    """
    columns = labels + (background != "none")
    if scores.shape[-1] != columns:
        extra = "" if background == "none" else f" and a background that is {background}"
        raise OptionError(
            f"expected {columns} columns of scores for {labels} labels{extra}, "
            f"got {scores.shape[-1]}"
        )
    found = probabilities(scores, activation)
    first = int(background == "first")
    return found[..., first : first + labels]

"""SimCC (Li et al. 2022, https://arxiv.org/abs/2107.03332): each coordinate as a classification.

RTMPose (Jiang et al. 2023, https://arxiv.org/abs/2303.07399) ends so.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engines.decoders import OptionError, Outputs, Spec, output
from engines.decoders.movenet import of_one
from engines.found import Points


def decode(
    outputs: Outputs,
    spec: Spec,
    *,
    x: str = "simcc_x",
    y: str = "simcc_y",
    activation: Literal["none", "sigmoid", "softmax"] = "none",
) -> Points:
    """Key points of a (1, k, bins) output of columns and one of rows, of one person.

    A point is where each has its peak; its score is the smaller of the two peaks, cut at 0 and 1.
    There are as many bins a pixel as the outputs are longer than the input's sides.

    Args:
        outputs: the network's outputs by name.
        spec: threshold of the mean score, key points, input size.
        x, y: names of the outputs.
        activation: what makes a score of a peak; RTMPose's are scores as they are.

    Raises:
        OptionError: the outputs have other shapes than the key points ask for.
    """
    k = len(spec.keypoints)
    parts = []
    for name, side in ((x, spec.size[0]), (y, spec.size[1])):
        bins = output(outputs, name)
        if bins.ndim != 3 or bins.shape[:2] != (1, k):
            raise OptionError(f"simcc: expected {name} (1, {k}, bins), got {bins.shape}")
        peaks = bins[0].argmax(axis=1)
        parts.append((peaks * (side / bins.shape[2]), _score(bins[0], peaks, activation)))
    (across, sure_x), (down, sure_y) = parts
    score = np.minimum(sure_x, sure_y)
    return of_one(np.stack([across, down, score], axis=1).astype(np.float32), spec)


def _score(
    bins: NDArray[np.float32], peaks: NDArray[np.intp], activation: str
) -> NDArray[np.float64]:
    """(k,) scores of the peaks of (k, bins)."""
    raw = bins.astype(np.float64)
    top = raw[np.arange(len(raw)), peaks]
    if activation == "softmax":
        return np.asarray(1 / np.exp(raw - top[:, None]).sum(axis=1), np.float64)
    return np.asarray(1 / (1 + np.exp(-top)) if activation == "sigmoid" else top, np.float64)

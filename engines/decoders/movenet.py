"""MoveNet's single person (Google 2021, https://tfhub.dev/google/movenet/singlepose)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.decoders import OptionError, Outputs, Spec, sole
from engines.found import Points


def decode(outputs: Outputs, spec: Spec, *, output: str | None = None) -> Points:
    """Key points of a (1, 1, k, 3) output: y, x in 0..1 of the input, and score, of one person.

    Args:
        outputs: the network's outputs by name.
        spec: threshold of the mean score, key points, input size.
        output: name of the output; may be left out when there is only one.

    Raises:
        OptionError: the output has another shape than the key points ask for.
    """
    table = sole(outputs, output)
    k = len(spec.keypoints)
    if table.shape not in ((1, 1, k, 3), (1, k, 3)):
        raise OptionError(f"movenet: expected (1, 1, {k}, 3), got {table.shape}")
    points = table.reshape(k, 3)[:, [1, 0, 2]].astype(np.float32)
    points[:, :2] *= np.array(spec.size, np.float32)
    return of_one(points, spec)


def of_one(points: NDArray[np.float32], spec: Spec) -> Points:
    """Return (k, 3) points; without scores where their mean is below the model's threshold."""
    np.clip(points[:, 2], 0, 1, out=points[:, 2])
    if points[:, 2].mean() < spec.threshold[0]:
        points[:, 2] = 0
    return Points(points)

"""Segmenters whose graph ends at the number of each pixel's class, the argmax being inside."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.decoders import OptionError, Outputs, Spec, output
from engines.decoders.planes import named
from engines.found import Planes


def decode(outputs: Outputs, spec: Spec, *, planes: dict[str, list[str | None]]) -> Planes:
    """One plane per label: the pixels of its number.

    Args:
        outputs: the network's outputs by name, each (1, h, w), (1, 1, h, w), (1, h, w, 1) or
            (h, w), of any type of number.
        spec: the labels, in the order of the planes returned.
        planes: for each output the label of each number from 0 on, null for one to leave out.

    Raises:
        OptionError: an output is missing or has another shape or number, or a label has no number.
    """
    found: dict[str, NDArray[np.bool_]] = {}
    for name, labels in planes.items():
        ids = _plane(output(outputs, name), name)
        if ids.size and not 0 <= ids.min() <= ids.max() < len(labels):
            raise OptionError(
                f"options.planes.{name}: expected numbers 0 to {len(labels) - 1}, "
                f"got {ids.min()} to {ids.max()}"
            )
        found |= {label: ids == i for i, label in enumerate(labels) if label is not None}
    return named(found, spec.labels)


def _plane(tensor: NDArray[Any], name: str) -> NDArray[Any]:
    shape = tensor.shape
    if len(shape) == 4 and shape[0] == 1 and 1 in (shape[1], shape[3]):
        return tensor.reshape(shape[2:] if shape[1] == 1 else shape[1:3])
    if len(shape) == 2 or (len(shape) == 3 and shape[0] == 1):
        return tensor.reshape(shape[-2:])
    raise OptionError(f"options.planes.{name}: expected an output (1, h, w), got {shape}")

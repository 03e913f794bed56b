"""Shared steps of segmenters' decoders: channels by output, planes by label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from engines.decoders import OptionError, Outputs, output
from engines.found import Planes


def channels_of(
    outputs: Outputs, name: str, count: int, channels: Literal["first", "last"]
) -> NDArray[Any]:
    """The (count, h, w) view of one output.

    Raises:
        OptionError: there is no such output, or it has another shape.
    """
    tensor: NDArray[Any] = output(outputs, name)
    axis = 1 if channels == "first" else 3
    if tensor.ndim != 4 or tensor.shape[0] != 1 or tensor.shape[axis] != count:
        shape = f"(1, {count}, h, w)" if axis == 1 else f"(1, h, w, {count})"
        raise OptionError(f"options.planes.{name}: expected an output {shape}, got {tensor.shape}")
    planes: NDArray[Any] = tensor[0]
    return planes if axis == 1 else planes.transpose(2, 0, 1)


def named(found: Mapping[str, NDArray[np.bool_]], labels: tuple[str, ...]) -> Planes:
    """The planes in the order of the labels.

    Raises:
        OptionError: labels and planes are not the same names, or sizes differ.
    """
    if set(found) != set(labels):
        raise OptionError(f"options.planes: expected {sorted(labels)}, got {sorted(found)}")
    if len({plane.shape for plane in found.values()}) > 1:
        raise OptionError("options.planes: expected outputs of one size")
    return Planes(np.stack([found[label] for label in labels]))

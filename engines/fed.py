"""What a network is fed: values of channels, and inputs besides the image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BeforeValidator
from pydantic_core import PydanticCustomError

from engines.runtimes import TensorInfo

SizeOrder = Literal["size_wh", "size_hw"]


def _checked(value: Any) -> Any:
    if isinstance(value, str):
        if value not in get_args(SizeOrder):
            raise PydanticCustomError("fed", "Input should be 'size_wh' or 'size_hw'")
        return value
    numbers = _numbers(value)
    if not numbers.size or numbers.dtype.kind not in "if":
        raise PydanticCustomError(
            "fed", "Input should be 'size_wh', 'size_hw', a number or a list of numbers"
        )
    return value


def _for_all(value: Any) -> Any:
    return (value,) if isinstance(value, int | float) else value


def _of_channels(values: tuple[float, ...]) -> tuple[float, ...]:
    if len(values) not in (1, 3):
        raise PydanticCustomError("channels", "Input should be one number or three")
    return values


# In a manifest: a value of each channel, or one for all.
Channels = Annotated[tuple[float, ...], BeforeValidator(_for_all), AfterValidator(_of_channels)]

# In a manifest: a size_wh or size_hw, a number, or lists of numbers.
Fed = Annotated[Any, AfterValidator(_checked)]


def is_constant(value: Any) -> bool:
    """Return whether a further input is the same for every image."""
    return not isinstance(value, str)


def besides(
    extra: Mapping[str, Any], size: tuple[int, int], inputs: Mapping[str, TensorInfo]
) -> dict[str, NDArray[Any]]:
    """Return the further inputs of one image, each in the type and shape that it declares.

    Args:
        extra: as in a manifest.
        size: width and height of the image's tensor.
        inputs: the network's, by name.

    Raises:
        ValueError: a constant has more or fewer numbers than its input takes.
    """
    feeds = {}
    for name, value in extra.items():
        if is_constant(value):
            array = _numbers(value)
        else:
            array = np.array(size if value == "size_wh" else size[::-1])
        feeds[name] = _shaped(name, array.astype(inputs[name].dtype), inputs[name].shape)
    return feeds


def _numbers(value: Any) -> NDArray[Any]:
    try:
        return np.array(value)
    except ValueError:  # lists of several lengths
        return np.array([])


def _shaped(name: str, array: NDArray[Any], declared: tuple[int | None, ...]) -> NDArray[Any]:
    """One image's: an open first axis is 1, and another takes what there is."""
    shape = [1 if place == 0 and len(declared) > 1 else axis for place, axis in enumerate(declared)]
    for axes in (shape, list(declared)):
        try:
            return array.reshape([-1 if axis is None else axis for axis in axes])
        except ValueError:
            continue
    raise ValueError(
        f"input.extra.{name}: expected numbers for {declared}, got {array.size} of them"
    )

"""The types of tensors that kernels read and write, by the numbers of numbers.cuh."""

from __future__ import annotations

from typing import Any

import numpy as np

_KINDS = {"float32": 0, "float16": 1, "uint8": 2, "int32": 3}
FLOATS = ("float32", "float16")


def kind_of(dtype: np.dtype[Any], known: tuple[str, ...] = tuple(_KINDS)) -> int:
    """Return the number of a type.

    Raises:
        ValueError: kernels do not take it.
    """
    if dtype.name not in known:
        raise ValueError(f"dtype: expected {', '.join(known)}, got {dtype}")
    return _KINDS[dtype.name]

"""The shapes and types of arrays that results are made of."""

from __future__ import annotations

from typing import Any

import numpy as np


class ShapeError(ValueError):
    """An array has not the shape or dtype that its field asks for."""


def check_array(name: str, array: Any, shape: tuple[int, ...], dtype: type[np.generic]) -> None:
    """Check one array.

    Raises:
        ShapeError: it has another shape or dtype; names the field.
    """
    if isinstance(array, np.ndarray) and array.shape == shape and array.dtype == dtype:
        return
    got = f"{array.shape} {array.dtype}" if isinstance(array, np.ndarray) else repr(type(array))
    raise ShapeError(f"{name}: expected {shape} {np.dtype(dtype)}, got {got}")

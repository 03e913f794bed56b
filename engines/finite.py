"""Outputs that are no numbers: overflow at half precision must not look like nothing found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def check_finite(model: str, outputs: Mapping[str, NDArray[Any]]) -> None:
    """Looks for NaN and infinity in every output of floats.

    The minimum and the maximum tell, as either is NaN where any value is: finding them takes half
    the time of checking every value, since nothing is written. NumPy compares float16 slowly, so
    there every value is checked.

    Raises:
        RuntimeError: a value is not finite; names model and output, and how many are not.
    """
    for name, values in outputs.items():
        if values.dtype.kind == "f" and not _is_finite(values):
            bad = int(values.size - np.count_nonzero(np.isfinite(values)))
            nans = int(np.count_nonzero(np.isnan(values)))
            raise RuntimeError(
                f"model {model}: {bad} of {values.size} values of output {name} are not finite "
                f"({nans} NaN, {bad - nans} infinite)"
            )


def check_count(model: str, output: str, bad: int, read: int) -> None:
    """Do the same where a GPU has counted.

    Args:
        model: its name.
        output: of which values were read.
        bad: how many of these are not finite.
        read: how many there were.

    Raises:
        RuntimeError: one is not.
    """
    if bad:
        raise RuntimeError(
            f"model {model}: {bad} of {read} values of output {output} are not finite"
        )


def _is_finite(values: NDArray[Any]) -> bool:
    if not values.size or values.itemsize < 4:
        return bool(np.isfinite(values).all())
    return bool(np.isfinite(values.max()) and np.isfinite(values.min()))

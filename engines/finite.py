"""Outputs that are no numbers: overflow at half precision must not look like nothing found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def check_finite(model: str, outputs: Mapping[str, NDArray[Any]]) -> None:
    """Looks for NaN and infinity in every output of floats, through its sum.

    A sum is NaN or infinite when one of its values is, and takes a fraction of the time of looking
    at each. Values are looked at one by one only where the sum is not finite, as large ones may
    overflow it.

    Raises:
        RuntimeError: naming model and output, and how many of its values are none.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        for name, values in outputs.items():
            kind = values.dtype
            if kind.kind != "f":
                continue
            wide = np.float32 if kind == np.float16 else None  # whose largest number is 65504
            if not np.isfinite(np.add.reduce(values, axis=None, dtype=wide)):
                _count(model, name, values)


def _count(model: str, name: str, values: NDArray[Any]) -> None:
    bad = int(values.size - np.count_nonzero(np.isfinite(values)))
    if bad:
        nans = int(np.count_nonzero(np.isnan(values)))
        raise RuntimeError(
            f"model {model}: {bad} of {values.size} values of output {name} are not finite "
            f"({nans} NaN, {bad - nans} infinite)"
        )

"""Outputs that are no numbers: overflow at half precision must not look like nothing found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def check_finite(model: str, outputs: Mapping[str, NDArray[Any]]) -> None:
    """Looks for NaN and infinity in every output of floats.

    To look at each value takes half the time of summing them up.

    Raises:
        RuntimeError: naming model and output, and how many of its values are none.
    """
    for name, values in outputs.items():
        if values.dtype.kind == "f" and not (finite := np.isfinite(values)).all():
            bad = int(values.size - np.count_nonzero(finite))
            nans = int(np.count_nonzero(np.isnan(values)))
            raise RuntimeError(
                f"model {model}: {bad} of {values.size} values of output {name} are not finite "
                f"({nans} NaN, {bad - nans} infinite)"
            )

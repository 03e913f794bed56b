"""Describe a tensor in figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Figures:
    """A tensor's figures; those of values are over the finite ones, NaN where there is none.

    Attributes:
        shape: its shape.
        dtype: its NumPy type.
        least, most, mean, std: of the values.
        zeros: share of all values that are exactly 0, in 0..1.
        nans, infs: how many values are not a number, or infinite.
    """

    shape: tuple[int, ...]
    dtype: str
    least: float
    most: float
    mean: float
    std: float
    zeros: float
    nans: int
    infs: int

    @property
    def is_sound(self) -> bool:
        """True if all values are finite."""
        return not self.nans and not self.infs

    def rows(self) -> dict[str, str]:
        """Names and words, for people."""
        return {
            "shape": "x".join(map(str, self.shape)) or "scalar",
            "dtype": self.dtype,
            "min": f"{self.least:.6g}",
            "max": f"{self.most:.6g}",
            "mean": f"{self.mean:.6g}",
            "std": f"{self.std:.6g}",
            "zeros": f"{self.zeros:.1%}",
            "NaN": str(self.nans),
            "inf": str(self.infs),
        }


def figures(array: NDArray[Any]) -> Figures:
    """The figures of a tensor of numbers or truth values."""
    numbers = array.astype(np.float64)
    nans, infs = int(np.isnan(numbers).sum()), int(np.isinf(numbers).sum())
    finite = numbers[np.isfinite(numbers)]
    parts = (finite.min(), finite.max(), finite.mean(), finite.std()) if finite.size else ()
    least, most, mean, std = map(float, parts or (np.nan,) * 4)
    zeros = float((numbers == 0).mean()) if numbers.size else 0.0
    return Figures(array.shape, array.dtype.name, least, most, mean, std, zeros, nans, infs)

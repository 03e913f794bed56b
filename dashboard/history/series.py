"""Values by name over the last minutes, one column each, in memory that does not grow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLES = 900  # 15 minutes of one a second
NAMES_MOST = 64  # of one group; what comes after them is added up under OTHER
OTHER = "(other)"


class Series:
    """The last ``SAMPLES`` samples. A value that a sample does not have is NaN.

    Columns are float32, as charts need no more; the time is float64.
    """

    def __init__(self) -> None:
        self._columns: dict[str, NDArray[np.float32]] = {}
        self._groups: dict[str, dict[str, NDArray[np.float32]]] = {}
        self._t = np.zeros(SAMPLES, np.float64)
        self._taken = 0

    def begin(self, at: float) -> None:
        """Begins the next sample.

        Args:
            at: Unix seconds.
        """
        self._taken += 1
        self._t[self._now] = at
        for column in self._columns.values():
            column[self._now] = np.nan
        for group in self._groups.values():
            for column in group.values():
                column[self._now] = np.nan

    def put(self, name: str, value: float) -> None:
        """A value of this sample."""
        _column(self._columns, name)[self._now] = value

    def put_group(self, group: str, values: Mapping[str, float]) -> None:
        """Values by name of this sample; those of names that it lacks are 0."""
        columns = self._groups.setdefault(group, {})
        for column in columns.values():
            column[self._now] = 0.0
        for name, value in values.items():
            known = name in columns or len(columns) < NAMES_MOST
            column = _column(columns, name if known else OTHER)
            column[self._now] = value if known else np.nan_to_num(column[self._now]) + value

    def lasting(self, name: str, samples: int) -> list[float]:
        """A column's last values, oldest first, without NaN."""
        if name not in self._columns:
            return []
        values = self._columns[name][self._last(samples)]
        return [value for value in values.tolist() if value == value]  # noqa: PLR0124 - not NaN

    def table(self, samples: int) -> dict[str, Any]:
        """All columns' last values, oldest first: by name, and by group and name; ``t`` beside."""
        rows = self._last(samples)
        return {
            "t": self._t[rows].round(3).tolist(),
            **{name: _rounded(column[rows]) for name, column in self._columns.items()},
            **{
                group: {name: _rounded(column[rows]) for name, column in columns.items()}
                for group, columns in self._groups.items()
            },
        }

    @property
    def _now(self) -> int:
        return (self._taken - 1) % SAMPLES

    def _last(self, samples: int) -> NDArray[np.int64]:
        count = min(samples, self._taken, SAMPLES)
        return np.arange(self._taken - count, self._taken) % SAMPLES


def _column(columns: dict[str, NDArray[np.float32]], name: str) -> NDArray[np.float32]:
    if name not in columns:
        columns[name] = np.full(SAMPLES, np.nan, np.float32)
    return columns[name]


def _rounded(values: NDArray[np.float32]) -> list[float]:
    rounded: list[float] = values.astype(np.float64).round(3).tolist()
    return rounded

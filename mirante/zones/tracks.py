"""The tracks that a counter knows, a row each, with a column for each thing known of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Rows = NDArray[np.intp]
At = Rows | slice  # rows, or a slice that stands for all of them in order, as views are cheaper

# Name → dtype, shape of a row; -1 and -2 stand for the number of zones, and of lines.
COLUMNS: dict[str, tuple[type, tuple[int, ...]]] = {
    "id": (np.int64, ()),
    "birth": (np.int64, ()),  # epoch in which it was first seen here
    "seen": (np.int64, ()),  # capture time in ns
    "missed": (np.int64, ()),  # frames since
    "label": (np.int64, ()),
    "still": (np.bool_, ()),
    "box": (np.float64, (4,)),  # in source pixels
    "anchor": (np.float64, (2, 2)),  # x and y of bottom and centre; the longer side is 1
    "walked": (np.float64, ()),  # metres
    "marks": (np.float64, (2, 3)),  # seconds, x and y in metres: an older and a newer place
    "inside": (np.bool_, (-1,)),
    "within": (np.bool_, (-1,)),  # as last seen, so or not
    "level": (np.float64, (-1,)),  # seconds for which it has been seen otherwise than ``inside``
    "since": (np.int64, (-1,)),  # ns at which that began
    "entered": (np.int64, (-1,)),
    "walked_before": (np.float64, (-1,)),
    "side": (np.int64, (-2,)),  # of the line, 1 right and -1 left, as far as it is settled
    "crossed": (np.int64, (-2,)),  # to the right, less those to the left, since it was settled
    "far": (np.int64, (-2,)),  # ns since which it is on the other side; 0 while it is not
    "fits": (np.int64, (-2,)),  # frames in which it was one that counts, less others, to 10
    "distance": (np.float64, (-2,)),  # from the line, positive on its right
}
NONE: Rows = np.empty(0, np.intp)
MOMENTS = ("seen", "since", "entered", "far")


class Tracks:
    """Rows of tracks.

    Args:
        zones, lines: how many there are.

    Attributes:
        columns: an array each, by the names in ``COLUMNS``.
    """

    def __init__(self, zones: int, lines: int) -> None:
        self.columns: dict[str, Array] = {}
        for name, (dtype, shape) in COLUMNS.items():
            sizes = tuple({-1: zones, -2: lines}.get(size, size) for size in shape)
            self.columns[name] = np.zeros((0, *sizes), dtype)
        self._rows: dict[int, int] = {}
        self._asked: tuple[list[int], Rows, At] = ([], NONE, NONE)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, name: str) -> Array:
        return self.columns[name]

    def knows(self, ids: list[int]) -> bool:
        """Return whether any of these tracks has a row."""
        return any(each in self._rows for each in ids)

    def rows_of(self, ids: list[int]) -> tuple[Rows, At, Rows]:
        """Return the row of each track, what columns are indexed with for all of them, and which of
        ``ids`` are new: those get rows of zeros.
        """
        if ids == self._asked[0]:  # as in the frame before, mostly
            return self._asked[1], self._asked[2], NONE
        new = [index for index, each in enumerate(ids) if each not in self._rows]
        if new:
            self.append({"id": np.array([ids[index] for index in new], np.int64)})
        rows = np.array([self._rows[each] for each in ids], np.intp)
        is_all = len(rows) == len(self) and bool((rows == np.arange(len(rows))).all())
        self._asked = ids, rows, slice(None) if is_all else rows
        return rows, self._asked[2], np.array(new, np.intp)

    def append(self, values: dict[str, Array]) -> None:
        """Add rows: what ``values`` says of them, and zeros; ``id`` has to be there."""
        count = len(values["id"])
        for name, column in self.columns.items():
            added = np.zeros((count, *column.shape[1:]), column.dtype)
            if name in values:
                added[:] = values[name]
            self.columns[name] = np.concatenate([column, added])
        self._index()

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Forget all other rows."""
        self.columns = {name: column[kept] for name, column in self.columns.items()}
        self._index()

    def choose(self, kind: int, places: Sequence[int | None]) -> None:
        """Give each zone (``kind`` -1) or line (-2) the columns of one before it, or zeros."""
        for name, (_, shape) in COLUMNS.items():
            if shape == (kind,):
                before = self.columns[name]
                after = np.zeros((len(before), len(places)), before.dtype)
                for index, place in enumerate(places):
                    if place is not None:
                        after[:, index] = before[:, place]
                self.columns[name] = after

    def shift(self, ns: int) -> None:
        """Move all moments, as the clock was set."""
        for name in MOMENTS:
            column = self.columns[name]
            column[column != 0] += ns
        self.columns["marks"][..., 0] += ns / 1e9

    def _index(self) -> None:
        """Note which row each track has."""
        self._asked = [], NONE, NONE
        self._rows = {each: row for row, each in enumerate(self.columns["id"].tolist())}


def pairs(chosen: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Yield the row and column of each that is chosen."""
    yield from zip(*(each.tolist() for each in np.nonzero(chosen)), strict=True)

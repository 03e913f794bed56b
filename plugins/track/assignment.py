"""Assign rows to columns at the smallest cost, where few pairs are possible at all."""

from __future__ import annotations

from heapq import heappop, heappush

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]
_ALONE = -1  # the column that each row has to itself


def assign(cost: NDArray[np.float64], limit: float) -> tuple[Rows, Rows]:
    """Return the pairs of rows and columns whose costs sum up to the least.

    Args:
        cost: (n, m), finite or inf.
        limit: what a row costs that stays alone, so no pair at or above it is made.

    Returns:
        (k,) rows and (k,) columns of the pairs.
    """
    rows, columns = np.nonzero(cost < limit)
    return assign_pairs(rows, columns, cost[rows, columns], limit)


def assign_pairs(
    rows: Rows, columns: Rows, cost: NDArray[np.float64], limit: float
) -> tuple[Rows, Rows]:
    """Return those of some possible pairs whose costs sum up to the least.

    A row that stays alone costs ``limit``. Shortest augmenting paths (Jonker and Volgenant, 1987);
    pairs whose row and column are in no other are made without a search.

    Args:
        rows: (k,) of the possible pairs.
        columns: (k,) of them.
        cost: (k,) of them, below ``limit``.
        limit: what a row costs that stays alone.

    Returns:
        Rows and columns of the pairs that are made.
    """
    single = (np.bincount(rows)[rows] == 1) & (np.bincount(columns)[columns] == 1)
    if single.all():
        return rows, columns
    pairs: dict[int, dict[int, float]] = {}
    others = ~single
    listed = zip(
        rows[others].tolist(), columns[others].tolist(), cost[others].tolist(), strict=True
    )
    for row, column, value in listed:
        pairs.setdefault(row, {})[column] = value
    made = _searched(pairs, limit)
    return (
        np.concatenate([rows[single], np.array(list(made.values()), np.intp)]),
        np.concatenate([columns[single], np.array(list(made), np.intp)]),
    )


def _searched(pairs: dict[int, dict[int, float]], limit: float) -> dict[int, int]:
    """Return the row of each column: ``pairs`` has the cost of each row's columns."""
    column_of: dict[int, int] = {}
    row_of: dict[int, int] = {}
    prices: dict[int, float] = {}
    for row in pairs:
        free, last, came_from = _search(row, pairs, row_of, prices, limit)
        while True:  # each row on the way moves to the column behind its own
            had = column_of.pop(last, _ALONE)
            if free != _ALONE:
                column_of[last], row_of[free] = free, last
            if last == row:
                break
            free, last = had, came_from[had]
    return {column: row for row, column in column_of.items()}


def _search(
    row: int,
    pairs: dict[int, dict[int, float]],
    row_of: dict[int, int],
    prices: dict[int, float],
    limit: float,
) -> tuple[int, int, dict[int, int]]:
    """Find the cheapest way for one more row: Dijkstra over costs less the columns' prices.

    Returns:
        The column at its end that is free, or ``_ALONE``; the row that gets it; and the row from
        which each column on the way was reached.
    """
    heap: list[tuple[float, int, int]] = []
    reached: dict[int, float] = {}
    came_from: dict[int, int] = {}
    base, at = 0.0, row
    while True:
        heappush(heap, (base + limit, _ALONE, at))
        for column, value in pairs[at].items():
            if column not in reached:
                heappush(heap, (base + value - prices.get(column, 0.0), column, at))
        distance, column, last = heappop(heap)
        while column in reached:
            distance, column, last = heappop(heap)
        if column == _ALONE or column not in row_of:
            break
        reached[column], came_from[column] = distance, last
        at = row_of[column]
        base = distance - (pairs[at][column] - prices.get(column, 0.0))
    for each, before in reached.items():
        prices[each] = prices.get(each, 0.0) + before - distance
    return column, last, came_from

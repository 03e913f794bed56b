"""Timing several calls side by side: in turn, so that a slow minute meets them all."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from statistics import median
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
BLOCK_S = 0.2  # a call is repeated for so long before the next has its turn
LEAST_CALLS = 3


def turns(of: Iterable[K], rounds: int) -> Iterator[tuple[int, K]]:
    """Yield each round with each thing to measure; every other round goes the other way round."""
    order = list(of)
    for number in range(rounds):
        for each in order[:: -1 if number % 2 else 1]:
            yield number, each


def in_turn(
    calls: Mapping[K, Callable[[], object]], rounds: int, block_s: float | None = None
) -> dict[K, list[float]]:
    """Median milliseconds of each call in each round.

    In a round each has its turn: once untimed, as the one before it has taken the caches, then
    timed for ``block_s`` seconds, else ``BLOCK_S``, and ``LEAST_CALLS`` times at least. Every other
    round goes the other way round.

    Raises:
        ValueError: ``rounds`` is below 1.
    """
    if rounds < 1:
        raise ValueError(f"rounds: expected 1 or more, got {rounds}")
    taken: dict[K, list[float]] = {key: [] for key in calls}
    for _, key in turns(calls, rounds):
        calls[key]()
        taken[key].append(_block(calls[key], BLOCK_S if block_s is None else block_s))
    return taken


def ratio(taken: list[float], reference: list[float]) -> float:
    """Return the median over rounds of reference / taken."""
    return median(there / here for here, there in zip(taken, reference, strict=True))


def _block(call: Callable[[], object], block_s: float) -> float:
    taken_ms: list[float] = []
    until_s = time.perf_counter() + block_s
    while len(taken_ms) < LEAST_CALLS or time.perf_counter() < until_s:
        began_s = time.perf_counter()
        call()
        taken_ms.append((time.perf_counter() - began_s) * 1e3)
    return median(taken_ms)

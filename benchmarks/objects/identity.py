"""Identity metrics of tracking: IDF1 (Ristani et al., 2016) and ID switches (CLEAR MOT)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.agreement import overlaps
from plugins.track.assignment import assign

_ALIKE = 0.5  # overlap from which a box is that of an object


class Numbered(NamedTuple):
    """Objects of one frame: (n,) int64 numbers and (n, 4) float64 boxes."""

    numbers: NDArray[np.int64]
    xyxy: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Score:
    """The identity metrics of a whole sequence.

    Attributes:
        idf1: boxes whose number is that of their object, of all, in 0..1.
        precision, recall: the same of the boxes said, and of the true ones.
        switches: how often the number on an object was another than before.
        numbers: that were given.
        objects: that there were.
    """

    idf1: float
    precision: float
    recall: float
    switches: int
    numbers: int
    objects: int


def judge(truth: Sequence[Numbered], said: Sequence[Numbered]) -> Score:
    """Return how well what was said of each frame fits the truth."""
    together: Counter[tuple[int, int]] = Counter()
    last: dict[int, int] = {}
    switches = true_boxes = said_boxes = 0
    for real, claimed in zip(truth, said, strict=True):
        true_boxes += len(real.numbers)
        said_boxes += len(claimed.numbers)
        alike = overlaps(real.xyxy, claimed.xyxy)
        for i, j in np.argwhere(alike >= _ALIKE).tolist():
            together[int(real.numbers[i]), int(claimed.numbers[j])] += 1
        switches += _switches(real, claimed, alike, last)
    right = _matched(together)
    return Score(
        2 * right / max(1, true_boxes + said_boxes),
        right / max(1, said_boxes),
        right / max(1, true_boxes),
        switches,
        len({int(each) for frame in said for each in frame.numbers}),
        len({int(each) for frame in truth for each in frame.numbers}),
    )


def _matched(together: Counter[tuple[int, int]]) -> int:
    """Return the boxes that are right where each object has the number that fits it best."""
    objects = sorted({one for one, _ in together})
    numbers = sorted({other for _, other in together})
    cost = np.zeros((len(objects), len(numbers)))
    for (one, other), frames in together.items():
        cost[objects.index(one), numbers.index(other)] = -frames
    rows, columns = assign(cost, 0.0)
    return int(-cost[rows, columns].sum())


def _switches(
    real: Numbered, claimed: Numbered, alike: NDArray[np.float64], last: dict[int, int]
) -> int:
    """Return how many objects have another number than when they were last found; note theirs."""
    cost = 1.0 - alike
    for i, number in enumerate(real.numbers.tolist()):  # who had it keeps it where that is possible
        cost[i, claimed.numbers == last.get(number)] -= 1.0
    rows, columns = assign(np.where(alike >= _ALIKE, cost, np.inf), 1.0)
    switches = 0
    for i, j in zip(rows.tolist(), columns.tolist(), strict=True):
        number, given = int(real.numbers[i]), int(claimed.numbers[j])
        switches += last.get(number, given) != given
        last[number] = given
    return switches

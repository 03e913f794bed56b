"""Boxes of one image, written in a line each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.evaluation.matching import Found, Truth

Row = Sequence[float]


def truth(*rows: Row) -> Truth:
    """Rows of left, top, right, bottom, class, and 1 behind it for a crowd."""
    table = np.array([[*row, 0][:6] for row in rows], np.float32).reshape(-1, 6)
    return Truth(table[:, :4], table[:, 4].astype(np.int64), table[:, 5] > 0)


def found(*rows: Row) -> Found:
    """Rows of left, top, right, bottom, class, score."""
    table = np.array(rows, np.float32).reshape(-1, 6)
    return Found(table[:, :4], table[:, 4].astype(np.int64), table[:, 5])


def random_scene(random: np.random.Generator) -> tuple[Truth, Found]:
    """Ten boxes of three classes, a tenth of them crowds, most of them found a little off."""
    corner, size = random.uniform(0, 300, (12, 2)), random.uniform(30, 90, (12, 2))
    xyxy = np.hstack([corner, corner + size]).astype(np.float32)
    class_id = random.integers(0, 3, 12)
    moved = (xyxy + random.normal(0, 4, xyxy.shape)).astype(np.float32)
    order = random.permutation(12)[:10]
    score = random.uniform(0, 1, 10).astype(np.float32)
    return (
        Truth(xyxy[:10], class_id[:10], random.uniform(size=10) < 0.1),
        Found(moved[order], class_id[order], score),
    )

"""Post-processing written a second time, plainly and in float64, to compare with."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engines.found import Boxes

Row = tuple[float, int, tuple[float, float, float, float]]


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Intersection over union of two boxes."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return width * height / (sum(areas) - width * height)


def suppress(rows: list[Row], iou: float) -> list[Row]:
    """Greedy non-maximum suppression within each class, best first."""
    kept: list[Row] = []
    for row in sorted(rows, key=lambda r: -r[0]):
        rivals = [k for k in kept if k[1] == row[1]]
        if all(overlap(k[2], row[2]) <= iou for k in rivals):
            kept.append(row)
    return kept


def best_class(scores: list[float], least: list[float]) -> tuple[float, int] | None:
    """The largest score that reaches its own class's threshold, and its class."""
    reached = [(s, -i) for i, (s, t) in enumerate(zip(scores, least, strict=True)) if s >= t]
    return (max(reached)[0], -max(reached)[1]) if reached else None


def from_centre(cx: float, cy: float, w: float, h: float) -> tuple[float, float, float, float]:
    """Centre and size to corners."""
    return cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2


def yolox(
    output: NDArray[np.float32], size: tuple[int, int], least: list[float], iou: float
) -> list[Row]:
    """YOLOX's raw grid, cell after cell, as its paper and published demo describe it."""
    rows: list[Row] = []
    cell = 0
    for stride in (8, 16, 32):
        for y in range(size[1] // stride):
            for x in range(size[0] // stride):
                p = [float(v) for v in output[0, cell]]
                cell += 1
                if p[4] < min(least):
                    continue
                found = best_class([p[4] * c for c in p[5:]], least)
                if found is not None:
                    w, h = math.exp(p[2]) * stride, math.exp(p[3]) * stride
                    box = from_centre((p[0] + x) * stride, (p[1] + y) * stride, w, h)
                    rows.append((*found, box))
    assert cell == output.shape[1]
    return suppress(rows, iou)


def assert_same(found: Boxes, expected: list[Row], atol: float = 1e-3) -> None:
    """Same boxes in the same order."""
    np.testing.assert_allclose(found.score, [row[0] for row in expected], rtol=1e-5)
    np.testing.assert_array_equal(found.class_id, [row[1] for row in expected])
    boxes = np.array([row[2] for row in expected]).reshape(-1, 4)
    np.testing.assert_allclose(found.xyxy, boxes, atol=atol, rtol=1e-5)

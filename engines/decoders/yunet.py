"""YuNet's faces (Wu et al. 2023, https://github.com/ShiqiYu/libfacedetection.train)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from engines.decoders import Outputs, Spec, output
from engines.decoders.candidates import classify, corners, suppress
from engines.found import Boxes


def decode(outputs: Outputs, spec: Spec, *, strides: tuple[int, ...] = (8, 16, 32)) -> Boxes:
    """Boxes from the outputs cls_S, obj_S and bbox_S of each stride S; landmarks are not read.

    The score is sqrt(cls * obj); a cell's box is centre = (p + cell) * S, size = exp(p) * S.

    Args:
        outputs: the network's outputs by name: (1, cells, 1), (1, cells, 1), (1, cells, 4).
        spec: labels, thresholds, overlap, input size (a multiple of the largest stride).
        strides: of the grids.
    """
    found = list(_levels(outputs, spec, strides))
    cxcywh, score = (np.concatenate(parts) for parts in zip(*found, strict=True))
    rows, best, class_id = classify(score, spec.threshold)
    return suppress(Boxes(corners(cxcywh[rows]), best, class_id), spec)


def _levels(
    outputs: Outputs, spec: Spec, strides: tuple[int, ...]
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Per stride the likely cells: (n, 4) centre and size, (n, 1) score."""
    for stride in strides:
        score = np.sqrt(output(outputs, f"cls_{stride}")[0] * output(outputs, f"obj_{stride}")[0])
        likely = np.flatnonzero(score[:, 0] >= spec.threshold.min())
        raw = output(outputs, f"bbox_{stride}")[0, likely]
        row, column = np.divmod(likely, spec.size[0] // stride)
        cell = np.stack([column, row], axis=-1).astype(np.float32)
        yield np.hstack([raw[:, :2] + cell, np.exp(raw[:, 2:])]) * stride, score[likely]

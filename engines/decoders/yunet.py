"""YuNet's faces (Wu et al. 2023, https://github.com/ShiqiYu/libfacedetection.train)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from engines.decoders import OptionError, Outputs, Spec, output
from engines.decoders.candidates import Candidates, classify, corners, suppress
from engines.decoders.yolov8_pose import with_points
from engines.found import Boxes


def decode(outputs: Outputs, spec: Spec, *, strides: tuple[int, ...] = (8, 16, 32)) -> Boxes:
    """Boxes from the outputs cls_S, obj_S and bbox_S of each stride S; with landmarks from kps_S.

    The score is sqrt(cls * obj), and that of each landmark is its face's; a cell's box is centre =
    (p + cell) * S, size = exp(p) * S, a landmark is (p + cell) * S. Landmarks are read where the
    manifest names the key points.

    Args:
        outputs: the network's outputs by name: (1, cells, 1), (1, cells, 1), (1, cells, 4) and
            (1, cells, 2k).
        spec: labels, thresholds, overlap, key points, input size (a multiple of the largest
            stride).
        strides: of the grids.

    Raises:
        OptionError: an output is missing, or has not two numbers for each key point.
    """
    found = list(_levels(outputs, spec, strides))
    cxcywh, score, points = (np.concatenate(parts) for parts in zip(*found, strict=True))
    rows, best, class_id = classify(score, spec.threshold)
    faces = Candidates(corners(cxcywh[rows]), best, class_id, points[rows])
    kept = suppress(faces, spec)
    if spec.keypoints:
        return with_points(kept, spec, normalised=False)
    return Boxes(kept.xyxy, kept.score, kept.class_id)


def _levels(
    outputs: Outputs, spec: Spec, strides: tuple[int, ...]
) -> Iterator[tuple[NDArray[np.float32], ...]]:
    """Per stride the likely cells: (n, 4) centre and size, (n, 1) score, (n, 2k) landmarks."""
    k = len(spec.keypoints)
    for stride in strides:
        score = np.sqrt(output(outputs, f"cls_{stride}")[0] * output(outputs, f"obj_{stride}")[0])
        likely = np.flatnonzero(score[:, 0] >= spec.threshold.min())
        raw = output(outputs, f"bbox_{stride}")[0, likely]
        row, column = np.divmod(likely, spec.size[0] // stride)
        cell = np.stack([column, row], axis=-1).astype(np.float32)
        box = np.hstack([raw[:, :2] + cell, np.exp(raw[:, 2:])]) * stride
        points = np.empty((len(likely), 0), np.float32)
        if k:
            marks = output(outputs, f"kps_{stride}")
            if marks.shape[-1] != 2 * k:
                raise OptionError(
                    f"yunet: expected kps_{stride} (1, cells, {2 * k}) for {k} key points, "
                    f"got {marks.shape}"
                )
            points = (marks[0, likely] + np.tile(cell, k)) * stride
        yield box, score[likely], points

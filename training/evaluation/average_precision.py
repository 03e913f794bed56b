"""Average precision, as pycocotools computes it."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.evaluation.matching import Found, Truth, shorter_side

MOST_BOXES = 100  # of a class in an image, as in COCO's own figures
_LARGE = 1e10


class EvaluationError(RuntimeError):
    """Nothing can be measured; the message says what is missing."""


def average_precision(
    scenes: Sequence[tuple[Truth, Found]], classes: int, least_side_px: float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """AP (mean over overlaps .5:.05:.95) and AP50 of each class in 0..1.

    Source: COCO's evaluation, https://cocodataset.org/#detection-eval, by its own code.

    Args:
        scenes: of each image what is there and what was found, down to the lowest scores.
        classes: how many.
        least_side_px: truth with a shorter side below this is neither hit nor missed.

    Returns:
        Two (classes,) arrays; NaN for a class that is never there.

    Raises:
        EvaluationError: pycocotools is not installed.
    """
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise EvaluationError("AP needs pycocotools: pip install 'mirante[train]'") from error
    truth, found = COCO(), COCO()
    truth.dataset, found.dataset = (_dataset(scenes, part, classes) for part in (0, 1))
    with contextlib.redirect_stdout(io.StringIO()):  # it tells of its progress there
        truth.createIndex()
        found.createIndex()
        evaluation = COCOeval(truth, found, "bbox")
        evaluation.params.maxDets = [MOST_BOXES]
        evaluation.params.areaRng = [[least_side_px, _LARGE]]
        evaluation.params.areaRngLbl = ["counted"]
        evaluation.evaluate()
        evaluation.accumulate()
    # (overlaps, recalls, classes, areas, limits), -1 where there is no truth.
    precision = evaluation.eval["precision"][:, :, :, 0, 0]
    absent = (precision < 0).all(axis=(0, 1))
    ap = np.where(absent, np.nan, precision.mean(axis=(0, 1)))
    return ap, np.where(absent, np.nan, precision[0].mean(axis=0))


def _dataset(scenes: Sequence[tuple[Truth, Found]], part: int, classes: int) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    for number, scene in enumerate(scenes):
        boxes = scene[part]
        sides = shorter_side(boxes.xyxy)
        for index, (left, top, right, bottom) in enumerate(boxes.xyxy.astype(float)):
            row = {
                "id": len(rows) + 1,  # 0 stands for no partner there
                "image_id": number,
                "category_id": int(boxes.class_id[index]),
                "bbox": [left, top, right - left, bottom - top],
                "area": float(sides[index]),  # what areaRng is about: here the shorter side
                "iscrowd": int(boxes.crowd[index]) if isinstance(boxes, Truth) else 0,
            }
            if isinstance(boxes, Found):
                row["score"] = float(boxes.score[index])
            rows.append(row)
    return {
        "images": [{"id": number} for number in range(len(scenes))],
        "categories": [{"id": number} for number in range(classes)],
        "annotations": rows,
    }

"""COCO box AP of a detector through the public API, with pycocotools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2

import engines


def average_precision(folder: Path, name: str) -> tuple[float, float]:
    """(AP, AP50) in percent over the pictures in ``folder``, which holds its instances*.json too.

    Only the pictures that are there count, of those that the JSON lists.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth = COCO(str(next(folder.glob("**/instances*.json"))))
    category = {item["name"]: item["id"] for item in truth.dataset["categories"]}
    model = engines.load(name, threads=2, threshold=0.01)
    rows: list[dict[str, Any]] = []
    seen: list[int] = []
    for number, info in truth.imgs.items():
        path = next(folder.glob(f"**/{info['file_name']}"), None)
        if path is None:
            continue
        seen.append(number)
        rgb = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        for label, score, (left, top, right, bottom) in model(rgb).detections:
            box = [float(left), float(top), float(right - left), float(bottom - top)]
            rows.append(
                {"image_id": number, "category_id": category[label], "bbox": box, "score": score}
            )
    evaluation = COCOeval(truth, truth.loadRes(rows), "bbox")
    evaluation.params.imgIds = seen
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return 100 * float(evaluation.stats[0]), 100 * float(evaluation.stats[1])

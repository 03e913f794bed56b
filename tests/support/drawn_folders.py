"""Small labelled folders, drawn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def write_picture(path: Path, width: int = 100, height: int = 50) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((height, width, 3), 90, np.uint8))
    return path


def write_plane(path: Path, plane: NDArray[np.bool_]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), plane.astype(np.uint8) * 255)
    return path


def write_coco(path: Path, boxes: dict[str, list[tuple[str, list[float]]]], **more: Any) -> Path:
    """A COCO file of (class, [left, top, width, height]) by image; ``more`` goes into each."""
    names = sorted({name for rows in boxes.values() for name, _ in rows})
    annotations = [
        {"image_id": image, "category_id": 10 + names.index(name), "bbox": bbox, **more}
        for image, rows in enumerate(boxes.values(), 1)
        for name, bbox in rows
    ]
    data = {
        "images": [{"id": i, "file_name": name} for i, name in enumerate(boxes, 1)],
        "annotations": [{"id": i, **item} for i, item in enumerate(annotations, 1)],
        "categories": [{"id": 10 + i, "name": name} for i, name in enumerate(names)],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))
    return path

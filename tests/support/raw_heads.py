"""Raw heads of noise, the same on every machine, that other decoders have read too.

golden/libreyolo_layouts.py keeps what libreyolo made of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CLASSES = 3
SIZES = {"SSD raw": 300, "PicoDet raw": 96, "YOLOv1 grid": 448}  # side of the input


def ssd() -> dict[str, NDArray[np.float32]]:
    """SSD300 on VGG-16: 8732 shifts, and logits of a background and three classes."""
    random = np.random.default_rng(3)
    return {
        "boxes": random.normal(0, 1, (1, 8732, 4)).astype(np.float32),
        "scores": random.normal(0, 1.2, (1, 8732, CLASSES + 1)).astype(np.float32),
    }


def picodet() -> dict[str, NDArray[np.float32]]:
    """PicoDet at 96x96: logits and distributions of eight steps, for each of four strides."""
    random = np.random.default_rng(4)
    found: dict[str, NDArray[np.float32]] = {}
    for stride in (8, 16, 32, 64):
        side = -(-96 // stride)
        scores = random.normal(-1, 1.5, (1, CLASSES, side, side))
        found[f"scores_{stride}"] = scores.astype(np.float32)
        found[f"sides_{stride}"] = random.normal(0, 2, (1, 32, side, side)).astype(np.float32)
    return found


def yolov1() -> dict[str, NDArray[np.float32]]:
    """Darknet's vector of 7 * 7 cells, two boxes, twenty classes, in blocks."""
    random = np.random.default_rng(5)
    return {"output": (random.random((1, 7 * 7 * 30)) ** 0.3).astype(np.float32)}

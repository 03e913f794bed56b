"""Images of coloured rectangles, with their boxes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.datasets import BoxPicture

RED, BLUE = (255, 0, 0), (0, 0, 255)


def drawn(path: Path, count: int = 12) -> list[BoxPicture]:
    """Images of red (class 0) and blue (class 1) rectangles on grey."""
    random = np.random.default_rng(5)
    pictures = []
    for number in range(count):
        rgb = np.full((90, 120, 3), int(random.integers(90, 160)), np.uint8)
        kind = number % 2
        left, top = int(random.integers(5, 60)), int(random.integers(5, 40))
        box = (left, top, left + int(random.integers(25, 55)), top + int(random.integers(20, 45)))
        cv2.rectangle(rgb, box[:2], (box[2] - 1, box[3] - 1), (RED, BLUE)[kind], -1)
        file = path / f"{number:02}.png"
        cv2.imwrite(str(file), rgb[:, :, ::-1])
        pictures.append(
            BoxPicture(file, file.stem, rows(*box), np.array([kind]), np.ones(1, np.float32))
        )
    return pictures


def rows(*box: float) -> NDArray[np.float32]:
    return np.array([box], np.float32)

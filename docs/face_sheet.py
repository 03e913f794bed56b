"""Makes the sheet by which engines/weights/face.md compares face with its teacher by eye.

    .venv/bin/python docs/face_sheet.py ../shared/training .cache/demo/carphone.mp4 sheet.png

Forty crops that training never saw: the collection's held-out faces, and frames of the clip evenly
apart. Each is shown twice, with the teacher's outline on the left and the student's on the right.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import engines
from engines.files import read_rgb
from engines.manifest import find
from engines.store.models import use_default_mirror
from mirante import Detections
from training.datasets import is_held_out
from training.datasets.collection import read_collection
from training.evaluation.pictures import Frames

COUNT, ACROSS, SIDE = 40, 4, 150
MARGIN = find("face").crop.margin  # crops of the collection are so many times their face's box


def crops(collection: Path, clip: Path) -> Iterator[tuple[str, Any, Detections]]:
    """Names, RGB pictures and the box of the face in each."""
    faces = [
        entry.path
        for entry in read_collection(collection, "faces")
        if entry.is_clear and is_held_out(entry.group)
    ][:COUNT]
    for path in faces:
        rgb = read_rgb(path)
        side = rgb.shape[0]
        edge = side * (1 - 1 / MARGIN) / 2
        yield path.stem, rgb, _box(edge, edge, side - edge, side - edge)
    yunet = engines.load("yunet")
    frames = Frames(clip)
    wanted = np.linspace(0, len(frames) - 1, COUNT - len(faces)).astype(int)
    for number, picture in enumerate(frames):
        if number in wanted:
            yield f"{clip.stem} {number}", picture.rgb, yunet(picture.rgb).detections


def _box(*xyxy: float) -> Detections:
    return Detections(
        np.array([xyxy], np.float32), np.ones(1, np.float32), np.zeros(1, np.int32), ("face",)
    )


def tile(model: engines.Model, rgb: Any, found: Detections, name: str) -> Any:
    """(SIDE, SIDE, 3) uint8 BGR: the crop with the outline of the mask."""
    height, width = rgb.shape[:2]
    plane = model(rgb, detections=found).masks[0].on_frame("face", width, height)
    left, top, right, bottom = found.xyxy[0]
    middle = (left + right) / 2, (top + bottom) / 2
    step = SIDE / (MARGIN * max(right - left, bottom - top))
    matrix = np.array(
        [[step, 0, SIDE / 2 - middle[0] * step], [0, step, SIDE / 2 - middle[1] * step]]
    )
    size = (SIDE, SIDE)
    shown = cv2.cvtColor(cv2.warpAffine(rgb, matrix, size), cv2.COLOR_RGB2BGR)
    mask = cv2.warpAffine(plane.astype(np.uint8), matrix, size, flags=cv2.INTER_NEAREST)
    outlines, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(shown, outlines, -1, (40, 220, 255), 1)
    cv2.putText(shown, name, (3, SIDE - 4), 0, 0.35, (255, 255, 255), 1, cv2.LINE_AA)
    return shown


def main() -> None:
    """Writes the sheet."""
    use_default_mirror()
    collection, clip, target = map(Path, sys.argv[1:])
    teacher, student = (engines.load(name, on="face") for name in ("unet-face", "face"))
    pairs = [
        np.hstack([tile(teacher, rgb, found, f"{number} {name}"), tile(student, rgb, found, "")])
        for number, (name, rgb, found) in enumerate(crops(collection, clip), 1)
    ]
    rows = [np.hstack(pairs[i : i + ACROSS]) for i in range(0, len(pairs), ACROSS)]
    cv2.imwrite(str(target), np.vstack(rows))


if __name__ == "__main__":
    main()

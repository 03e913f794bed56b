"""Makes the sheet of regions in docs/quiet.md: what a model sees of a large frame.

    .venv/bin/python docs/quiet_regions_sheet.py CLIP docs/images/regions.jpg

The scene is that of ``quiet_regions.py``. Left: the frame, what moves (blue), and the region around
it (red). Middle: the region as it is in the frame scaled to the model's input; right: the region in
its own pixels. Both with what the model finds so (green).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from quiet_regions import FPS, HEIGHT, MODEL, WIDTH, frames_of, scene

import engines
from engines.store.models import use_default_mirror
from plugins.gate.areas import areas_of
from plugins.gate.motion import Motion, thumb_of
from plugins.infer.areas import region_around

SECONDS, WIDE = 6.0, 640
SIZE = WIDTH, HEIGHT


def boxed(image: Any, boxes: Any, colour: tuple[int, int, int], thick: int = 2) -> None:
    """Draw boxes of pixels into an RGB image."""
    for left, top, right, bottom in np.asarray(boxes).round().astype(int).reshape(-1, 4).tolist():
        cv2.rectangle(image, (left, top), (right, bottom), colour, thick)


def main(clip: str, out: str) -> None:
    """Write the sheet of the last frame that has a region."""
    use_default_mirror()
    model, motion = engines.load(MODEL), Motion()
    takes, shown = model.manifest.input.size, None
    for number, image in enumerate(scene(frames_of(Path(clip), SECONDS))):
        grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
        motion.see(thumb_of(grey), number / FPS)
        areas = areas_of(motion.moving, motion.lasting)
        boxes = np.array(areas, np.float32).reshape(-1, 4) * (SIZE * 2)
        area = region_around(boxes, SIZE, takes) if len(boxes) else None
        if area is not None:
            shown = image, boxes, area
    if shown is None:
        raise SystemExit(f"{clip}: nothing moves in a small part of the scene")
    image, boxes, (left, top, right, bottom) = shown
    part = np.ascontiguousarray(image[top:bottom, left:right])
    scale = takes[0] / WIDTH
    coarse = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    cells = [round(each * scale) for each in (top, bottom, left, right)]
    blurred = cv2.resize(coarse[cells[0] : cells[1], cells[2] : cells[3]], part.shape[1::-1])
    boxed(blurred, model(image).detections.xyxy - (left, top, left, top), (60, 220, 60))
    fine = part.copy()
    boxed(fine, model(part).detections.xyxy, (60, 220, 60))
    whole = image.copy()
    boxed(whole, boxes, (70, 110, 255), 4)
    boxed(whole, (left, top, right, bottom), (255, 50, 50), 6)
    size = WIDE, WIDE * HEIGHT // WIDTH
    images = whole, blurred, fine
    tiles = [cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in images]
    sheet = cv2.cvtColor(np.hstack(tiles), cv2.COLOR_RGB2BGR)
    cv2.imwrite(out, sheet, [cv2.IMWRITE_JPEG_QUALITY, 80])


if __name__ == "__main__":
    main(*sys.argv[1:])

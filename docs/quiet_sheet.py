"""Makes the sheet of motion in docs/quiet.md: what the gate sees of a clip.

    .venv/bin/python docs/quiet_sheet.py ../shared/clips/highway.mp4 street docs/images/quiet.jpg

Four frames of the clip, evenly apart, and below each the small grey image that the gate looks at:
red is what moves, blue how much of that is usual there, as it was learnt where the model found
nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import engines
from engines.store.models import use_default_mirror
from mirante.frame import FrameResult
from plugins.gate.motion import Motion, thumb_of
from plugins.gate.scene import moving_in

COUNT, WIDE = 4, 480


def seen(path: Path, model: engines.Model) -> Iterator[tuple[Any, Any]]:
    """Yield each frame, (height, width, 3) uint8 BGR, and what the gate sees of it."""
    reader, motion = cv2.VideoCapture(str(path)), Motion()
    fps, number, known = reader.get(cv2.CAP_PROP_FPS), 0, moving_in(None)
    while (read := reader.read())[0]:
        bgr = np.asarray(read[1], np.uint8)
        thumb = thumb_of(np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), np.uint8))
        motion.see(thumb, number / fps, known)
        if number % 5 == 0:
            rgb = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
            size, found = (bgr.shape[1], bgr.shape[0]), model(rgb).detections
            known = moving_in(FrameResult("clip", number, 0, 0, "arrival", *size, detections=found))
        yield bgr, tinted(thumb, motion)
        number += 1


def tinted(thumb: Any, motion: Motion) -> Any:
    """Return the small image in colour, (height, width, 3) uint8 BGR."""
    usual = np.clip(np.sqrt(motion.usual) * 48, 0, 255)
    colour = np.repeat(thumb[:, :, None].astype(np.float32) * 0.6, 3, axis=2)
    colour[:, :, 0] = np.maximum(colour[:, :, 0], usual)
    colour[motion.moving] = (60, 60, 255)
    return colour.astype(np.uint8)


def main(clip: str, model: str, out: str) -> None:
    """Write the sheet."""
    use_default_mirror()
    pairs = list(seen(Path(clip), engines.load(model)))
    chosen = [pairs[(n + 1) * len(pairs) // COUNT - 1] for n in range(COUNT)]
    rows = []
    for row in zip(*chosen, strict=True):
        height = round(WIDE * row[0].shape[0] / row[0].shape[1])
        tiles = [cv2.resize(each, (WIDE, height), interpolation=cv2.INTER_AREA) for each in row]
        rows.append(np.hstack(tiles))
    cv2.imwrite(out, np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == "__main__":
    main(*sys.argv[1:])

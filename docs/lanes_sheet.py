"""Makes the sheet of lanes in docs/objects.md: what a segmenter marks, and the lines made of it.

    .venv/bin/python docs/lanes_sheet.py ../shared/clips/lanes.mp4 road docs/images/lanes.jpg

Six frames of the clip, evenly apart, each behind the second before it; the last row is the drawn
road by day and, with a third of the light and the noise of a gain, by night.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import engines
from engines.store.models import use_default_mirror
from mirante.frame import FrameResult
from pipeline.cli.drawn_result import draw_result
from pipeline.demo.road import FPS, road_picture
from plugins.frame import Frame
from plugins.lanes.stage import LanesStage

COUNT, WIDE = 6, 400
FPS_OF_CLIP, STEP, BEFORE = 25, 2, 12  # every other frame, and so many before one that is shown


def looked(
    model: engines.Model, frames: list[Any], fps: float
) -> Iterator[tuple[Any, FrameResult]]:
    """Each frame, (height, width, 3) uint8 RGB, with its masks and lanes."""
    stage = LanesStage()
    for n, rgb in enumerate(frames):
        height, width = rgb.shape[:2]
        masks = tuple(model(rgb).masks)
        found = FrameResult(
            "car", n, 0, round(n / fps * 1e9), "arrival", width, height, masks=masks
        )
        yield rgb, stage(Frame(rgb), found)


def clip(path: Path) -> list[Any]:
    """Every other frame of a clip."""
    reader, frames = cv2.VideoCapture(str(path)), []
    while (read := reader.read())[0]:
        frames.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB))
    return frames[::STEP]


def night(rgb: Any, n: int) -> Any:
    """A third of the light, with the noise of a gain."""
    noise = np.random.default_rng(n).normal(0, 6, rgb.shape)
    return np.clip(rgb * 0.3 + noise, 0, 255).astype(np.uint8)


def tile(rgb: Any, result: FrameResult) -> Any:
    """The masks on the left and the lanes on the right."""
    both = (replace(result, lanes=None), replace(result, masks=()))
    size = (WIDE, round(WIDE * rgb.shape[0] / rgb.shape[1]))
    return np.hstack(
        [cv2.resize(draw_result(rgb, each), size, interpolation=cv2.INTER_AREA) for each in both]
    )


def main() -> None:
    """Writes the sheet."""
    use_default_mirror()
    path, name, target = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    model = engines.load(name, threads=2)
    frames = clip(path)
    drives = [
        (frames[last - BEFORE : last + 1], FPS_OF_CLIP / STEP)
        for last in np.linspace(BEFORE, len(frames) - 1, COUNT).astype(int)
    ]
    day = [road_picture(n).rgb for n in range(BEFORE + 1)]
    drives += [(day, FPS), ([night(rgb, n) for n, rgb in enumerate(day)], FPS)]
    shown = [[*looked(model, drive, fps)][-1] for drive, fps in drives]
    tiles = [tile(*each) for each in shown]
    rows = [np.hstack(tiles[i : i + 2]) for i in range(0, len(tiles), 2)]
    sheet = cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(target), sheet, [cv2.IMWRITE_JPEG_QUALITY, 80])


if __name__ == "__main__":
    main()

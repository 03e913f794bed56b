"""The clips that benches play: the frames of a clip, and copies of it that are made once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.gst.clips import encode_pictures

CACHE = Path(".cache/bench")


def folder_of(clip: Path) -> Path:
    """Return where copies of a clip lie: another clip of that name has a folder of its own."""
    return CACHE / f"{clip.stem}-{clip.stat().st_size}"


def pictures(
    clip: Path, frames: int, size: tuple[int, int] | None = None
) -> Iterator[NDArray[np.uint8]]:
    """Yield the first frames of a clip, RGB, at a size, else its own."""
    capture = cv2.VideoCapture(str(clip))
    for _ in range(frames):
        more, bgr = capture.read()
        if not more:
            return
        image = bgr if size is None else cv2.resize(bgr, size, interpolation=cv2.INTER_CUBIC)
        yield np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def kept(target: Path, images: Iterable[NDArray[np.uint8]], fps: int) -> Path:
    """Return a clip of RGB images, encoded where it is not there yet."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        encode_pictures(images, fps, target)
    return target

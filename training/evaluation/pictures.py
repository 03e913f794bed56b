"""Images to be measured on: files, or frames of a clip."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.files import read_rgb
from training.datasets import DatasetError


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One image.

    Attributes:
        name: what it is called in captions.
        rgb: (height, width, 3) uint8 RGB.
        path: its file, None where it is a frame of a clip.
    """

    name: str
    rgb: NDArray[np.uint8]
    path: Path | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.rgb.shape[1], self.rgb.shape[0]


class Pictures(Protocol):
    """Images that are read one after the other."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Picture]: ...


class Files:
    """Images in files.

    Raises:
        DatasetError: from iterating, naming a file that is no image.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[Picture]:
        for path in self.paths:
            yield Picture(path.name, read_rgb(path), path)


class Frames:
    """Every ``every``-th frame of a part of a clip.

    Args:
        clip: any file that OpenCV reads.
        start: where the part begins, as a share of the clip.
        end: where it ends.
        every: 1 for each frame.

    Raises:
        DatasetError: there is no video, or no frame in that part.
    """

    def __init__(self, clip: Path, start: float = 0.0, end: float = 1.0, every: int = 1) -> None:
        video = cv2.VideoCapture(str(clip))
        count = int(video.get(cv2.CAP_PROP_FRAME_COUNT)) if video.isOpened() else 0
        video.release()
        if count < 1:
            raise DatasetError(f"{clip}: expected a clip that OpenCV can read")
        self.clip = clip
        self.numbers = range(math.ceil(start * count), math.floor(end * count), every)
        if not self.numbers:
            raise DatasetError(f"{clip}: no frame in {start:g}:{end:g} of its {count}")

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[Picture]:
        video = cv2.VideoCapture(str(self.clip))
        try:
            for number in range(self.numbers.stop):
                if not video.grab():
                    raise DatasetError(f"{self.clip}: frame {number} cannot be read")
                if number in self.numbers:
                    _, bgr = video.retrieve()
                    rgb = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
                    yield Picture(f"{self.clip.name}:{number}", rgb)
        finally:
            video.release()

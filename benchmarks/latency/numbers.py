"""Numbers drawn into the images of a clip, and a stage that reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mirante.frame import FrameResult
from pipeline.cameras.synthetic import draw_number, read_number

TIMING = "number"  # key in a message's timings, where a stage may add its own

Image = NDArray[np.uint8]


def numbered(images: Iterable[Image]) -> Iterator[Image]:
    """Yield copies of RGB images with 0, 1, … drawn on top, in bits that survive H.264."""
    for number, image in enumerate(images):
        copy = image.copy()
        draw_number(copy, number)
        yield copy


class Numbers:
    """A stage that adds the number in a frame's image to its timings.

    A frame without a readable number is dropped, reason ``stage``.
    """

    def __call__(self, frame: Image, result: FrameResult) -> FrameResult | None:
        """Return the result with the number."""
        number = read_number(frame)
        if number is None:
            return None
        return replace(result, timings={**result.timings, TIMING: float(number)})

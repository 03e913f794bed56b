"""A detector that sees each image as a camera's frame of one size."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engines.builder.frames import in_frame
from engines.inference import Inference
from engines.placement import Size, place

_GREY = 114


class Detector(Protocol):
    """What finds boxes in an image."""

    labels: tuple[str, ...]

    def __call__(self, rgb: NDArray[np.uint8]) -> Inference:
        """Return what it finds, in pixels of the image."""
        ...


class Framed:
    """A detector of frames, as a detector of images.

    An image is fitted into the frame, its aspect kept, and the rest is grey.

    Args:
        detector: of frames.
        size: width and height of the frame.
    """

    def __init__(self, detector: Detector, size: Size) -> None:
        self.labels = detector.labels
        self._detector, self._size = detector, size

    def __call__(self, rgb: NDArray[np.uint8]) -> Inference:
        """Return what is found of the image, in its own pixels."""
        source = np.array([rgb.shape[1], rgb.shape[0]] * 2, np.float32)
        found = self._detector(in_frame(rgb, self._size, "letterbox-centre", _GREY))
        at = place((rgb.shape[1], rgb.shape[0]), self._size, "letterbox-centre")
        xyxy = np.clip(at.to_picture(found.detections.xyxy), 0, source)
        inside = np.flatnonzero((xyxy[:, 2:] > xyxy[:, :2]).all(axis=1))
        seen = replace(found.detections, xyxy=xyxy).select(inside)
        return replace(found, detections=seen)

"""The truth about an image: what people drew, or what another model says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engines.model import Model
from training.datasets import BoxPicture, BoxSet, MaskPicture, MaskSet
from training.datasets.masks import read_plane
from training.evaluation.matching import Truth
from training.evaluation.pictures import Picture

Planes = Mapping[str, NDArray[np.bool_]]  # by label, each of the image's height and width


class BoxTruth(Protocol):
    """Boxes of an image; ``class_id`` counts ``labels``."""

    labels: tuple[str, ...]

    def __call__(self, picture: Picture) -> Truth:
        """Return the truth about one image."""
        ...


class PlaneTruth(Protocol):
    """Planes of an image; one that is not there is unknown in it."""

    labels: tuple[str, ...]

    def __call__(self, picture: Picture) -> Planes:
        """Return the truth about one image."""
        ...


class DrawnBoxes:
    """The boxes of a labelled set."""

    def __init__(self, boxes: BoxSet) -> None:
        self.labels = boxes.labels
        self._of: dict[Path | None, BoxPicture] = {p.path: p for p in boxes.pictures}

    def __call__(self, picture: Picture) -> Truth:
        """The image's boxes, its crowds behind them."""
        drawn = self._of[picture.path]
        return Truth(
            np.concatenate([drawn.xyxy, drawn.crowd[:, :4]]),
            np.concatenate([drawn.class_id, drawn.crowd[:, 4].astype(np.int64)]),
            np.arange(len(drawn.xyxy) + len(drawn.crowd)) >= len(drawn.xyxy),
        )


class NoBoxes:
    """Nothing, whatever the image: a model's labels, none of which is there."""

    def __init__(self, labels: tuple[str, ...]) -> None:
        self.labels = labels

    def __call__(self, picture: Picture) -> Truth:
        """No boxes."""
        none = np.zeros(0, np.int64)
        return Truth(np.zeros((0, 4), np.float32), none, none.astype(np.bool_))


class SeenBoxes:
    """The boxes that another detector sees, at the threshold that it was loaded with."""

    def __init__(self, model: Model) -> None:
        self.labels = model.labels
        self._model = model

    def __call__(self, picture: Picture) -> Truth:
        """One inference."""
        seen = self._model(picture.rgb).detections
        return Truth(seen.xyxy, seen.class_id.astype(np.int64), np.zeros(len(seen), np.bool_))


class DrawnPlanes:
    """The planes of a labelled set."""

    def __init__(self, masks: MaskSet) -> None:
        self.labels = masks.labels
        self._of: dict[Path | None, MaskPicture] = {p.path: p for p in masks.pictures}

    def __call__(self, picture: Picture) -> Planes:
        """The image's planes.

        Raises:
            DatasetError: a file cannot be read, or has another size than the image.
        """
        planes = self._of[picture.path].planes
        return {label: read_plane(path, picture.size) > 127 for label, path in planes.items()}


class SeenPlanes:
    """The planes that a segmenter sees; of crops all together, in the image.

    Args:
        model: loaded with ``on`` where it runs on crops.
        detector: finds the boxes to crop; with that only.
    """

    def __init__(self, model: Model, detector: Model | None = None) -> None:
        self.labels = model.labels
        self._model, self._detector = model, detector

    def __call__(self, picture: Picture) -> Planes:
        """One inference, or one for each box."""
        found = self._detector(picture.rgb).detections if self._detector else None
        masks = self._model(picture.rgb, detections=found).masks
        width, height = picture.size
        planes = {label: np.zeros((height, width), np.bool_) for label in self.labels}
        for mask in masks:
            for label in self.labels:
                planes[label] |= mask.on_frame(label, width, height)
        return planes

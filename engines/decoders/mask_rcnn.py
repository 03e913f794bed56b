"""Mask R-CNN (He et al. 2017, https://arxiv.org/abs/1703.06870), as torchvision exports it."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.decoders import OptionError, Outputs, Spec, output
from engines.decoders.candidates import Format, to_xyxy
from engines.decoders.end_to_end import likely, one_image
from engines.decoders.prototypes import Finer
from engines.found import Instances


def decode(  # noqa: PLR0913 - its arguments are the options of a manifest
    outputs: Outputs,
    spec: Spec,
    *,
    boxes: str = "boxes",
    labels: str = "labels",
    scores: str = "scores",
    masks: str = "masks",
    count: str | None = None,
    format: Format = "xyxy",
    normalised: bool = False,
    first_class: int = 0,
    mask_threshold: float = 0.5,
    finer: Finer = 2,
) -> Instances:
    """Boxes with masks above their thresholds, as the network gives them; nothing is suppressed.

    Args:
        outputs: the network's outputs by name, with or without a first axis of one image.
        spec: labels, thresholds, input size.
        boxes: name of the (n, 4) output.
        labels: name of the (n,) output of class ids.
        scores: name of the (n,) output.
        masks: name of the probabilities: (n, 1, h, w) or (n, h, w), each over its box, or, where h
            and w are the input's, over the whole input.
        count: name of an output of one number, how many of the rows hold a box.
        format: corners, in TensorFlow's order top first, or centre and size.
        normalised: boxes are in 0..1 of the input instead of its pixels.
        first_class: the class id of the first label; 1 where 0 is the background.
        mask_threshold: a pixel of a lower probability is not the object's.
        finer: pixels of a mask along each side of one of h and w over a box, interpolated.

    Raises:
        OptionError: the outputs do not fit each other, or a class id has no label.
    """
    found, ids, score = one_image(*(output(outputs, name) for name in (boxes, labels, scores)))
    chances = output(outputs, masks)
    n = len(found)
    if chances.ndim < 3 or chances.size != n * chances.shape[-2] * chances.shape[-1]:
        raise OptionError(f"mask_rcnn: expected masks ({n}, 1, h, w), got {chances.shape}")
    planes = chances.reshape(n, *chances.shape[-2:])
    if count is not None:
        n = int(output(outputs, count).reshape(-1)[0])
    kept, class_id = likely(ids[:n], score[:n], spec, first_class)
    xyxy = to_xyxy(found[kept], format, spec.size if normalised else None)
    regions = xyxy
    if planes.shape[:0:-1] == spec.size:  # compared where the box is alone: planes are large
        regions = _regions(xyxy, spec.size)
        shown = [
            planes[row, top:bottom, left:right]
            for row, (left, top, right, bottom) in zip(kept, regions.astype(int), strict=True)
        ]
    else:
        cells = (planes[row].astype(np.float32, copy=False) for row in kept)
        shown = [cv2.resize(each, None, fx=finer, fy=finer) for each in cells]
    masks_of = tuple(np.asarray(each >= mask_threshold, np.bool_) for each in shown)
    return Instances(xyxy, score[kept].astype(np.float32), class_id, masks_of, regions)


def _regions(xyxy: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Return the whole pixels of an input of ``size`` about each box: corners, (n, 4)."""
    edges: NDArray[Any] = np.concatenate([np.floor(xyxy[:, :2]), np.ceil(xyxy[:, 2:])], axis=1)
    low = np.clip(edges[:, :2], 0, (size[0] - 1, size[1] - 1))
    return np.hstack([low, np.clip(edges[:, 2:], low + 1, size)]).astype(np.float32)

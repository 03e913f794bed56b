"""The masks of a frame as one map of segments, as ``nv.Segmentation`` holds them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirante.frame import FrameResult
from mirante.mask import Mask

MOST_PX = 1 << 20  # of a map: 4 bytes each in protobuf at worst


@dataclass(frozen=True, slots=True, eq=False)
class Segmented:
    """A map over the whole source frame, and what its values mean.

    Attributes:
        values: (height, width) int32, 0 where there is nothing, else the ``id`` of a segment.
        segments: ``id``, ``label``, ``model``, and ``object`` where it is of one: its index in the
            frame.
    """

    values: NDArray[np.int32]
    segments: list[dict[str, Any]]


def segmented(result: FrameResult) -> Segmented | None:
    """Return the planes of all masks of a frame, later ones over earlier ones, objects last.

    The map is as fine as the finest mask, at most as the source frame, and has ``MOST_PX`` pixels
    at most. None where the frame has no mask.
    """
    masks = list(result.all_masks())
    if not masks:
        return None
    width, height = _grid(result, [mask for _, mask in masks])
    values = np.zeros((height, width), np.int32)
    segments: list[dict[str, Any]] = []
    for index, mask, label in _planes(masks):
        segment: dict[str, Any] = {"id": len(segments) + 1, "label": label, "model": mask.model}
        segments.append(segment if index is None else {**segment, "object": index})
        placed = _scaled(mask, width / result.width, height / result.height)
        values[placed.on_frame(label, width, height)] = len(segments)
    return Segmented(values, segments)


def _planes(masks: list[tuple[int | None, Mask]]) -> Iterator[tuple[int | None, Mask, str]]:
    for index, mask in masks:
        for label in mask.labels:
            yield index, mask, label


def _grid(result: FrameResult, masks: list[Mask]) -> tuple[int, int]:
    """Return the width and height of the map."""
    fine_x = max(mask.width / max(1.0, mask.xyxy[2] - mask.xyxy[0]) for mask in masks)
    fine_y = max(mask.height / max(1.0, mask.xyxy[3] - mask.xyxy[1]) for mask in masks)
    width = min(result.width, ceil(fine_x * result.width))
    height = min(result.height, ceil(fine_y * result.height))
    shrink = min(1.0, sqrt(MOST_PX / (width * height)))
    return max(1, int(width * shrink)), max(1, int(height * shrink))


def _scaled(mask: Mask, x: float, y: float) -> Mask:
    left, top, right, bottom = mask.xyxy
    return replace(mask, xyxy=(left * x, top * y, right * x, bottom * y))

"""Masks that are mixed from prototypes: each object has a coefficient for each of them.

YOLACT (Bolya et al. 2019, https://arxiv.org/abs/1904.02689); the YOLO families' segmenters since.
"""

from __future__ import annotations

from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.decoders import OptionError, Outputs, Spec, output
from engines.decoders.candidates import Candidates
from engines.found import Instances

Finer = Literal[1, 2, 4]
LONGEST_PX = 160  # side of a mask beyond which it is no finer than the prototypes


def with_masks(
    boxes: Candidates, prototypes: NDArray[np.float32], spec: Spec, finer: Finer
) -> Instances:
    """Return the boxes with their masks, each computed inside its box only.

    A pixel is an object's where sigmoid(coefficients * prototypes) is above 0.5; between the cells
    of the prototypes it is interpolated.

    Args:
        boxes: those that are left, their coefficients as ``more``.
        prototypes: (p, h, w) float32, over the whole input tensor.
        spec: input size.
        finer: pixels of a mask along each side of a prototype's cell, fewer for large objects.
    """
    grid = np.array(prototypes.shape[:0:-1])
    step = np.array(spec.size) / grid
    cells = _cells(boxes.xyxy, step, grid)
    longest = (cells[:, 2:] - cells[:, :2]).max(axis=1, initial=1)
    times = np.clip(LONGEST_PX // longest, 1, finer)[:, None]
    pixels = _cells(boxes.xyxy, step / times, grid * times)
    planes = []
    for cell, pixel, scale, mix in zip(
        cells.tolist(), pixels.tolist(), times[:, 0].tolist(), boxes.more, strict=True
    ):
        left, top = max(cell[0] - 1, 0), max(cell[1] - 1, 0)  # neighbours, to interpolate
        inside = prototypes[:, top : cell[3] + 1, left : cell[2] + 1]
        # By one thread and without a copy: BLAS' threads would wait for each other.
        mixed = np.einsum("p,pyx->yx", mix, inside)
        shown = cv2.resize(mixed, None, fx=scale, fy=scale) if scale > 1 else mixed
        x, y = left * scale, top * scale
        plane = shown[pixel[1] - y : pixel[3] - y, pixel[0] - x : pixel[2] - x] > 0
        planes.append(np.asarray(plane, np.bool_))
    regions = (pixels * np.tile(step / times, 2)).astype(np.float32)
    return Instances(boxes.xyxy, boxes.score, boxes.class_id, tuple(planes), regions)


def _cells(
    xyxy: NDArray[np.float32], step: NDArray[np.float64], grid: NDArray[np.intp]
) -> NDArray[np.intp]:
    """(n, 4) left, top, right, bottom of the cells whose centres lie in each box; one at least.

    Args:
        xyxy: (n, 4) boxes in pixels.
        step: (2,) or (n, 2) width and height of a cell.
        grid: (2,) or (n, 2) number of columns and rows.
    """
    edges = np.ceil(xyxy.astype(np.float64) / np.tile(step, 2) - 0.5)
    low = np.clip(edges[:, :2], 0, grid - 1)
    high = np.clip(edges[:, 2:], low + 1, grid)
    return np.hstack([low, high]).astype(np.intp)


def table_and_prototypes(
    outputs: Outputs, table: str | None, prototypes: str | None, columns: int, decoder: str
) -> tuple[NDArray[np.float32], NDArray[np.float32], int]:
    """Return a network's table of boxes, its prototypes as (p, h, w), and p.

    Args:
        outputs: the network's, by name.
        table, prototypes: names of the outputs; None for the one of three or of four axes.
        columns: of the table before the coefficients.
        decoder: in messages.

    Raises:
        OptionError: there are no such outputs, or they do not fit each other.
    """
    boxes = _of_axes(outputs, 3, "output", table)
    protos = _of_axes(outputs, 4, "prototypes", prototypes)
    if boxes.shape[0] == protos.shape[0] == 1:
        for count, first in ((protos.shape[1], True), (protos.shape[3], False)):
            if columns + count in boxes.shape[1:]:
                return boxes[0], planar(protos, first), count
    raise OptionError(
        f"{decoder}: expected a table of {columns} + p columns and prototypes (1, p, h, w) or "
        f"(1, h, w, p), got {boxes.shape} and {protos.shape}"
    )


def planar(prototypes: NDArray[Any], first: bool) -> NDArray[np.float32]:
    """Return (1, p, h, w) prototypes, or (1, h, w, p) where these are not first, as (p, h, w)."""
    planes = prototypes[0] if first else np.moveaxis(prototypes[0], 2, 0)
    return np.ascontiguousarray(planes, np.float32)


def _of_axes(outputs: Outputs, axes: int, option: str, name: str | None) -> NDArray[np.float32]:
    """The output of that name, or where none is named, the only one of so many axes."""
    if name is not None:
        found = output(outputs, name)
        if found.ndim != axes:
            raise OptionError(f"options.{option}: expected {axes} axes, {name} is {found.shape}")
        return found
    names = [each for each, value in outputs.items() if value.ndim == axes]
    if len(names) != 1:
        raise OptionError(
            f"options.{option}: expected one of {', '.join(names or outputs)}, got none"
        )
    return outputs[names[0]]

"""The regions that one run of a model looked at, and the findings in source pixels."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from engines.placement import Placement, Region, Size
from engines.rotated import scaled
from mirante.detections import Attributes, Detections
from mirante.embeddings import Embeddings
from mirante.keypoints import KeyPoints, Pose, Skeleton
from mirante.mask import Mask


@dataclass(slots=True)
class View:
    """The frame, or the crop of a box, that one run of a model looked at.

    Attributes:
        labels: the model's.
        model: its name.
        at: where the image lies in the input tensor.
        zoom: source pixels per pixel of the image, in x and y.
        source: width and height of the source frame.
        index: of the box whose crop it is; None for the whole frame.
        skeleton: names, edges and threshold of the model's key points; None where it has none.
    """

    labels: tuple[str, ...]
    model: str
    at: Placement
    zoom: tuple[float, float]
    source: Size
    index: int | None = None
    skeleton: Skeleton | None = None

    def boxes(self, xyxy: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return (n, 4) boxes of the tensor in source pixels, and which are in the frame at all.

        They are cut at the frame's edges.
        """
        return self.cut(self.regions(xyxy))

    def cut(self, xyxy: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return (n, 4) boxes in source pixels cut at the frame's edges, and which are in it."""
        found = np.minimum(np.maximum(xyxy, 0), np.array(self.source * 2, np.float32))
        return found, (found[:, 2] > found[:, 0]) & (found[:, 3] > found[:, 1])

    def rotated(self, rotated: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (n, 5) rotated boxes of the tensor in source pixels, also what is outside it."""
        (x, y), (across, down) = self.at.scale, self.zoom
        moved = rotated.copy()
        moved[:, :2] -= np.array(self.at.offset, np.float32)
        return scaled(moved, (across / x, down / y))

    def regions(self, xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (n, 4) regions of the tensor in source pixels, also where they leave the frame."""
        found: NDArray[np.float32] = self.at.to_picture(xyxy) * np.array(self.zoom * 2, np.float32)
        return found

    def points(self, points: KeyPoints) -> KeyPoints:
        """Return (n, k, 3) key points of the tensor in source pixels.

        Those below the skeleton's threshold are not there: all 0.
        """
        found = points.astype(np.float32)
        flat = np.tile(found[..., :2].reshape(-1, 2), 2)
        found[..., :2] = self.regions(flat)[:, :2].reshape(*points.shape[:-1], 2)
        np.clip(found[..., 2], 0, 1, out=found[..., 2])
        if self.skeleton is not None:
            found[found[..., 2] < self.skeleton.threshold] = 0
        return found

    def planes(self, planes: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], Region]:
        """Return the part of (c, h, w) planes that shows the image, and its region in the source.

        The planes may be coarser than the tensor.
        """
        height, width = planes.shape[1:]
        return self.at.without_padding(planes)[0], self.shown((width, height))

    def shown(self, cells: Size) -> Region:
        """Return the region of the source that the cells of planes of a size show."""
        left, top, right, bottom = self.at.shown(cells)
        x, y = self.zoom
        return left * x, top * y, right * x, bottom * y


@dataclass(frozen=True, slots=True)
class Inference:
    """The findings of a model in one frame.

    Attributes:
        detections: boxes in source pixels; none, with the model's labels, from a segmenter.
        masks: one of the whole frame, or one per crop, with ``object_index`` the box whose crop it
            is; none from a detector.
        timings: milliseconds in ``preprocess``, ``infer`` and ``decode``, summed over crops.
        attributes: what a classifier says, by the index of the box whose crop it saw; None stands
            for the whole frame.
        poses: the key points that a single object's network finds, likewise by the index of the
            box whose crop it saw; those of a model's own boxes are in ``detections``.
        embeddings: vectors by the name of the model, likewise by the index of the box.
    """

    detections: Detections
    masks: tuple[Mask, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict)
    attributes: Mapping[int | None, Attributes] = field(default_factory=dict)
    poses: Mapping[int | None, Pose] = field(default_factory=dict)
    embeddings: Mapping[int | None, Embeddings] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """True if nothing was found: no box, no pixel of a mask, nothing said of the frame."""
        others = (self.attributes, self.poses, self.embeddings)
        return (
            len(self.detections) == 0
            and not any(others)
            and not any(mask.bits.any() for mask in self.masks)
        )

    def merge(self, other: Inference) -> Inference:
        """Return what one model found in two views of a frame; the timings are summed."""
        more = len(other.detections) > 0
        return Inference(
            self.detections.merge(other.detections) if more else self.detections,
            (*self.masks, *other.masks),
            summed(self.timings, other.timings),
            {**self.attributes, **other.attributes},
            {**self.poses, **other.poses},
            {**self.embeddings, **other.embeddings},
        )


def combined(heads: Sequence[Inference], finds_boxes: Sequence[bool]) -> Inference:
    """Return what all heads of a network found in one frame, with the timings of the first.

    Args:
        heads: of each, in their order.
        finds_boxes: whether the detections of each are boxes. Their labels follow one another,
            also of heads that found none, so that a class has the same number in each frame.
    """
    first, *others = heads
    if not others:
        return first
    boxes = [one.detections for one, has in zip(heads, finds_boxes, strict=True) if has]
    attributes: dict[int | None, Attributes] = {}
    for one in heads:
        for index, said in one.attributes.items():
            attributes[index] = {**attributes.get(index, {}), **said}
    return replace(
        first,
        detections=reduce(Detections.merge, boxes) if boxes else first.detections,
        masks=tuple(mask for one in heads for mask in one.masks),
        attributes=attributes,
        poses={index: pose for one in heads for index, pose in one.poses.items()},
        embeddings=reduce(operator.or_, [dict(one.embeddings) for one in heads]),
    )


def summed(first: Mapping[str, float], second: Mapping[str, float]) -> dict[str, float]:
    """Return milliseconds by step; steps of both are added."""
    return {**first, **{step: first.get(step, 0.0) + ms for step, ms in second.items()}}

"""Objects with key points, and the key points of one object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from engines.agreement import Figure, Limits
from engines.found.base import Agreement, Found, Mirrored
from engines.found.boxes import BoxAgreement, Boxes
from engines.inference import Inference, View
from engines.placement import Size
from mirante.detections import Detections
from mirante.keypoints import KeyPoints, Pose

_NEAR = 0.1  # of an object's diagonal, within which points are one


class _Apart:
    """How far the key points of two engines lie apart, as a share of their object's diagonal."""

    def __init__(self) -> None:
        self._shift: list[float] = []
        self._score: list[float] = []
        self._sure = self._lost = 0

    def add(self, expected: Pose, got: Pose, diagonal: float, margin: float) -> None:
        """Compare the points of one object, whose diagonal is so many pixels long."""
        a, b = expected.points, got.points
        there = (a[:, 2] > 0) & (b[:, 2] > 0)
        sure = np.maximum(a[:, 2], b[:, 2]) >= expected.skeleton.threshold + margin
        self._sure += int(sure.sum())
        self._lost += int((sure & ~there).sum())
        apart = np.linalg.norm(a[there, :2] - b[there, :2], axis=1) / max(diagonal, 1.0)
        self._shift += apart.tolist()
        self._score += np.abs(a[there, 2] - b[there, 2]).tolist()

    def figures(self, limits: Limits) -> dict[str, Figure]:
        """Return the figures; a shift may be as large as what its boxes' overlap may lack."""
        if not self._shift and not self._sure:
            return {}
        shift, score = self._shift or [1.0], self._score or [1.0]
        return {
            "key points": Figure(float(len(self._shift))),
            "points lost": Figure(self._lost / max(self._sure, 1), at_most=limits.lost),
            "shift mean": Figure(float(np.mean(shift)), at_most=1 - limits.iou_mean),
            "shift max": Figure(max(shift), at_most=1 - limits.iou_min),
            "point score mean": Figure(float(np.mean(score)), at_most=limits.score),
            "point score max": Figure(max(score), at_most=limits.score_max),
        }


class _PoseAgreement(BoxAgreement):
    """Boxes, and the key points of objects that both found."""

    def __init__(self, thresholds: NDArray[np.float32], limits: Limits) -> None:
        super().__init__(thresholds, limits)
        self._apart = _Apart()

    def add_pair(self, expected: Detections, got: Detections, size: Size) -> None:
        """Compare the points of one object."""
        poses = [
            Pose(found.keypoints[0], skeleton)
            for found in (expected, got)
            if found.keypoints is not None and (skeleton := found.skeleton_of(0)) is not None
        ]
        if len(poses) == 2:
            diagonal = float(np.linalg.norm(expected.xyxy[0, 2:] - expected.xyxy[0, :2]))
            self._apart.add(poses[0], poses[1], diagonal, self.limits.margin)

    def figures(self) -> dict[str, Figure]:
        """Return the figures of the boxes, and of the points."""
        return {**super().figures(), **self._apart.figures(self.limits)}


@dataclass(frozen=True, eq=False)
class Poses(Boxes):
    """The boxes that a pose network's decoder gives, with key points each.

    Attributes:
        keypoints: (n, k, 3) float32, x, y in pixels of the input tensor and a score in 0..1, for
            the k names of ``Spec.keypoints``.
    """

    task = "pose"
    gives = "boxes with key points"
    maker = "a pose network"
    has_keypoints = True
    agreement = _PoseAgreement

    keypoints: KeyPoints

    def select(self, index: NDArray[Any]) -> Self:
        """Return the objects at ``index``, integers or a bool mask, with all that is theirs."""
        return replace(super().select(index), keypoints=self.keypoints[index])

    def to_source(self, view: View) -> Inference:
        """Return objects with their points; those wholly outside the frame are left out."""
        _, inside = view.boxes(self.xyxy)
        points = view.points(self.keypoints[inside])
        found = super().to_source(view)
        skeleton = view.skeleton
        tables = {} if skeleton is None else dict.fromkeys(range(len(view.labels)), skeleton)
        return replace(
            found, detections=replace(found.detections, keypoints=points, skeletons=tables)
        )


class _PointsAgreement(Agreement):
    """The key points of one object an image."""

    def __init__(self, thresholds: NDArray[np.float32], limits: Limits) -> None:
        super().__init__(thresholds, limits)
        self._apart = _Apart()

    def add(self, expected: Inference, got: Inference, size: Size) -> None:
        """Compare the points of one more image, against the extent of the expected ones."""
        a, b = expected.poses[None], got.poses[None]
        there = a.points[a.points[:, 2] > 0, :2]
        diagonal = float(np.linalg.norm(np.ptp(there, axis=0))) if len(there) else 1.0
        self._apart.add(a, b, diagonal, self.limits.margin)

    def figures(self) -> dict[str, Figure]:
        """Return the figures of the points."""
        return self._apart.figures(self.limits)


@dataclass(frozen=True, eq=False)
class Points(Found):
    """The key points that a network for a single object gives; it finds no box.

    Attributes:
        points: (k, 3) float32, x, y in pixels of the input tensor and a score in 0..1, for the k
            names of ``Spec.keypoints``; all scores 0 where there is no object.
    """

    task = "landmarks"
    gives = "key points"
    maker = "a single-object pose network"
    verb = "finds the key points of"
    about_boxes = "finds the key points of boxes"
    has_keypoints = True
    needs_threshold = True
    usual_threshold = 0.2
    needs_boxes = True
    agreement = _PointsAgreement

    points: KeyPoints

    @classmethod
    def certainty(cls, seen: Sequence[Mirrored]) -> NDArray[np.float64]:
        """Return (n,) the mean score of points that are in the mirror image, too, of any name.

        There, what was left is right.
        """
        return np.array([_mirrored(each) for each in seen], np.float64)

    def to_source(self, view: View) -> Inference:
        """Return the points of the frame's object, or of the box whose crop was looked at."""
        empty = Inference(Detections.empty(view.labels))
        if view.skeleton is None:
            return empty
        pose = Pose(view.points(self.points[None])[0], view.skeleton)
        return replace(empty, poses={view.index: pose})


def _mirrored(seen: Mirrored) -> float:
    """The mean score of the points of an image that lie where its mirror image has one, too."""
    one, other = (each.poses[None].points for each in (seen.found, seen.mirrored))
    a, b = one[one[:, 2] > 0], other[other[:, 2] > 0]
    if not len(a) or not len(b):
        return 0.0
    back = np.stack([seen.width - b[:, 0], b[:, 1]], axis=1)
    apart = np.linalg.norm(a[:, None, :2] - back[None], axis=2)
    there = apart.min(axis=1) <= _NEAR * max(float(np.linalg.norm(np.ptp(a[:, :2], axis=0))), 1.0)
    return float(np.minimum(a[:, 2], b[apart.argmin(axis=1), 2])[there].sum() / len(one))

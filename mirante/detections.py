"""Objects found in one frame, as a struct of aligned fields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from mirante.embeddings import NO_EMBEDDINGS, Embeddings, check_embeddings
from mirante.keypoints import (
    KeyPoints,
    Pose,
    Skeleton,
    Skeletons,
    join_keypoints,
)
from mirante.mask import Mask
from mirante.rotated import Rotated, join_rotated
from mirante.shapes import ShapeError, check_array

T = TypeVar("T")
Number = TypeVar("Number", np.int64, np.bool_)


class Attribute(NamedTuple):
    """A classifier's answer for one object.

    Attributes:
        label: one of the classifier's.
        score: in 0..1.
    """

    label: str
    score: float


Attributes = Mapping[str, Attribute]  # by name: a classifier's, or that of one of its groups
NO_ATTRIBUTES: Attributes = MappingProxyType({})
UNTRACKED = -1  # the track of an object that has none, beside objects that have one

Index = NDArray[Any] | Sequence[int] | Sequence[bool] | slice | int


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """``n`` objects in pixels of the source frame.

    Everything but the tables ``labels`` and ``skeletons`` is aligned: place ``i`` of each field
    belongs to object ``i``, and ``select``, ``of`` and ``merge`` carry all of it.

    Attributes:
        xyxy: (n, 4) float32, left, top, right, bottom in source pixels.
        score: (n,) float32 in 0..1.
        class_id: (n,) int32, index into ``labels``.
        labels: the class names that ``class_id`` points into.
        track_id: (n,) int64, ``UNTRACKED`` for an object without a track; None when nothing tracks.
        attributes: one mapping an object, of name to label and score; empty when nothing
            classifies.
        masks: the masks of each object; empty when no object has one.
        keypoints: (n, k, 3) float32, x, y in source pixels and a score in 0..1, all 0 for a point
            that is not there; None when nothing finds key points.
        rotated: (n, 5) float32, centre x and y, width, height and angle of the rotated box that
            ``xyxy`` encloses, as in ``mirante.rotated``; five zeros for an object without one, None
            when nothing finds oriented boxes.
        skeletons: names and edges of the key points of each class that has any, by class id.
        embeddings: the vectors of each object by the model's name, (d,) float16; empty when no
            object has one.
        still: (n,) bool, true for an object that has not moved for some time; None when nothing
            tracks.

    Raises:
        ShapeError: a field has another shape or dtype than stated, or a class id no label.
    """

    xyxy: NDArray[np.float32]
    score: NDArray[np.float32]
    class_id: NDArray[np.int32]
    labels: tuple[str, ...]
    track_id: NDArray[np.int64] | None = None
    attributes: tuple[Attributes, ...] = ()
    masks: tuple[tuple[Mask, ...], ...] = ()
    keypoints: KeyPoints | None = None
    rotated: Rotated | None = None
    skeletons: Skeletons = field(default_factory=dict)
    embeddings: tuple[Embeddings, ...] = ()
    still: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        n = len(self.xyxy)
        check_array("xyxy", self.xyxy, (n, 4), np.float32)
        check_array("score", self.score, (n,), np.float32)
        check_array("class_id", self.class_id, (n,), np.int32)
        if self.track_id is not None:
            check_array("track_id", self.track_id, (n,), np.int64)
        if self.still is not None:
            check_array("still", self.still, (n,), np.bool_)
        if self.keypoints is not None:
            points = self.keypoints.shape[1] if self.keypoints.ndim == 3 else 1
            check_array("keypoints", self.keypoints, (n, points, 3), np.float32)
        if self.rotated is not None:
            check_array("rotated", self.rotated, (n, 5), np.float32)
        listed = (
            ("attributes", self.attributes),
            ("masks", self.masks),
            ("embeddings", self.embeddings),
        )
        for name, values in listed:
            if len(values) not in (0, n):
                raise ShapeError(f"{name}: expected none or {n}, got {len(values)}")
        check_embeddings(self.embeddings)
        if any(isinstance(owned, Mask) for owned in self.masks):
            raise ShapeError("masks: expected a tuple of masks for each object, got a mask")
        if n and not (self.class_id.min() >= 0 and self.class_id.max() < len(self.labels)):
            raise ShapeError(
                f"class_id: expected 0..{len(self.labels) - 1}, "
                f"got {self.class_id.min()}..{self.class_id.max()}"
            )
        self._check_skeletons()

    @classmethod
    def empty(cls, labels: tuple[str, ...] = ()) -> Detections:
        """Return no objects, with the class names that objects would have had."""
        return cls(
            np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int32), labels
        )

    def __len__(self) -> int:
        return len(self.xyxy)

    def __iter__(self) -> Iterator[tuple[str, float, NDArray[np.float32]]]:
        """Yield (label, score, xyxy) of each object."""
        for row, score, class_id in zip(self.xyxy, self.score, self.class_id, strict=True):
            yield self.labels[class_id], float(score), row

    def select(self, index: Index) -> Detections:
        """Return the objects at ``index``, in its order, with all that belongs to them.

        Args:
            index: a bool mask (n,), integer indices (k,) that may repeat, a slice, or one index.
        """
        places = list(index) if isinstance(index, tuple) else index  # NumPy's are one per axis
        rows = np.atleast_1d(np.arange(len(self))[places])
        return Detections(
            self.xyxy[rows],
            self.score[rows],
            self.class_id[rows],
            self.labels,
            None if self.track_id is None else self.track_id[rows],
            _at(self.attributes, rows),
            _at(self.masks, rows),
            None if self.keypoints is None else self.keypoints[rows],
            None if self.rotated is None else self.rotated[rows],
            self.skeletons,
            _at(self.embeddings, rows),
            None if self.still is None else self.still[rows],
        )

    def of(self, label: str) -> Detections:
        """Return the objects of one class; none when the class is unknown here."""
        ids = [i for i, name in enumerate(self.labels) if name == label]
        return self.select(np.isin(self.class_id, ids))

    def attributes_of(self, index: int) -> Attributes:
        """Return what classifiers say of one object, by name; nothing where none ran."""
        return self.attributes[index] if self.attributes else NO_ATTRIBUTES

    def masks_of(self, index: int) -> tuple[Mask, ...]:
        """Return the masks of one object."""
        return self.masks[index] if self.masks else ()

    def skeleton_of(self, index: int) -> Skeleton | None:
        """Return names and edges of one object's key points; None where its class has none."""
        return self.skeletons.get(int(self.class_id[index]))

    def keypoints_of(self, index: int) -> dict[str, NDArray[np.float32]]:
        """Return the key points of one object that are there: (3,) x, y and score, by name."""
        skeleton = self.skeleton_of(index)
        if skeleton is None or self.keypoints is None:
            return {}
        named = zip(skeleton.names, self.keypoints[index], strict=False)  # others may have more
        return {name: point for name, point in named if point.any()}

    def with_attributes(self, added: Mapping[int, Attributes]) -> Detections:
        """Return the same objects, those at the indices of ``added`` with further attributes.

        Raises:
            ShapeError: there is no object of such an index.
        """
        if not added:
            return self
        self._check_indices("attributes", added)
        every = (self.attributes_of(i) for i in range(len(self)))
        return replace(
            self,
            attributes=tuple(
                {**had, **added[i]} if i in added else had for i, had in enumerate(every)
            ),
        )

    def embeddings_of(self, index: int) -> Embeddings:
        """Return the vectors of one object, by the model's name; nothing where no model ran."""
        return self.embeddings[index] if self.embeddings else NO_EMBEDDINGS

    def with_embeddings(self, added: Mapping[int, Embeddings]) -> Detections:
        """Return the same objects, those at the indices of ``added`` with further vectors.

        Raises:
            ShapeError: there is no object of such an index, or a vector is not like the model's
                others.
        """
        if not added:
            return self
        self._check_indices("embeddings", added)
        every = (self.embeddings_of(i) for i in range(len(self)))
        embeddings = tuple({**had, **added.get(i, {})} for i, had in enumerate(every))
        return replace(self, embeddings=embeddings)

    def with_masks(self, added: Iterable[tuple[int, Mask]]) -> Detections:
        """Return the same objects with further masks: pairs of an object's index and its mask.

        Raises:
            ShapeError: there is no object of such an index.
        """
        pairs = list(added)
        if not pairs:
            return self
        self._check_indices("masks", [index for index, _ in pairs])
        masks = [list(self.masks_of(i)) for i in range(len(self))]
        for index, mask in pairs:
            masks[index].append(replace(mask, object_index=None))
        return replace(self, masks=tuple(map(tuple, masks)))

    def with_keypoints(self, added: Mapping[int, Pose]) -> Detections:
        """Return the same objects, those at the indices of ``added`` with these key points.

        The skeleton becomes that of the object's class.

        Raises:
            ShapeError: there is no object of such an index.
        """
        if not added:
            return self
        self._check_indices("keypoints", added)
        had = self.keypoints
        rows = [None if had is None else had[i : i + 1] for i in range(len(self))]
        for i, pose in added.items():
            rows[i] = pose.points[None]
        keypoints = join_keypoints([(row, 1) for row in rows])
        skeletons = {int(self.class_id[i]): pose.skeleton for i, pose in added.items()}
        return replace(self, keypoints=keypoints, skeletons={**self.skeletons, **skeletons})

    def merge(self, other: Detections) -> Detections:
        """Return both sets of objects; ``other``'s class ids move behind this table's labels.

        Where one set lacks a field that the other has, its objects get ``UNTRACKED``, no
        attributes, no masks, no embeddings, key points and rotated boxes that are not there, and
        are not still.
        """
        if not other.labels:
            return self
        if not self.labels:
            return other
        same = other.labels == self.labels and all(
            self.skeletons.get(i, bones) == bones for i, bones in other.skeletons.items()
        )
        shift = 0 if same else len(self.labels)
        pair = (self, other)
        return Detections(
            np.concatenate([self.xyxy, other.xyxy]),
            np.concatenate([self.score, other.score]),
            np.concatenate([self.class_id, other.class_id + np.int32(shift)]),
            self.labels if not shift else self.labels + other.labels,
            _join_rows([(d.track_id, len(d)) for d in pair], np.int64(UNTRACKED)),
            _join([(d.attributes, len(d)) for d in pair], NO_ATTRIBUTES),
            _join([(d.masks, len(d)) for d in pair], ()),
            join_keypoints([(d.keypoints, len(d)) for d in pair]),
            join_rotated([(d.rotated, len(d)) for d in pair]),
            {**self.skeletons, **{i + shift: bones for i, bones in other.skeletons.items()}},
            _join([(d.embeddings, len(d)) for d in pair], NO_EMBEDDINGS),
            _join_rows([(d.still, len(d)) for d in pair], np.False_),
        )

    def _check_skeletons(self) -> None:
        for class_id, skeleton in self.skeletons.items():
            if not 0 <= class_id < len(self.labels):
                raise ShapeError(
                    f"skeletons: expected 0..{len(self.labels) - 1}, got class {class_id}"
                )
            if not all(0 <= end < len(skeleton.names) for edge in skeleton.edges for end in edge):
                raise ShapeError(
                    f"skeletons: expected edges between points 0..{len(skeleton.names) - 1} of "
                    f"{self.labels[class_id]}, got {list(skeleton.edges)}"
                )

    def _check_indices(self, name: str, indices: Iterable[int]) -> None:
        wanted = sorted(set(indices))
        if not 0 <= wanted[0] <= wanted[-1] < len(self):
            raise ShapeError(f"{name}: expected boxes below {len(self)}, got {wanted}")


def _at(values: tuple[T, ...], rows: NDArray[np.intp]) -> tuple[T, ...]:
    """Return the values of these objects; none where no object has any."""
    return tuple(values[row] for row in rows) if values else ()


def _join(parts: Sequence[tuple[tuple[T, ...], int]], blank: T) -> tuple[T, ...]:
    """Return one value for each object of all sets; none where no set has any."""
    if not any(values for values, _ in parts):
        return ()
    return tuple(value for values, count in parts for value in values or (blank,) * count)


def _join_rows(
    parts: Sequence[tuple[NDArray[Number] | None, int]], blank: Number
) -> NDArray[Number] | None:
    """Return one number for each object of all sets; None where no set has any."""
    if all(values is None for values, _ in parts):
        return None
    return np.concatenate(
        [
            np.full(count, blank, type(blank)) if values is None else values
            for values, count in parts
        ]
    )

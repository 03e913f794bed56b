"""Boxes found in one frame, as a struct of arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class ShapeError(ValueError):
    """An array has not the shape or dtype that its field asks for."""


class Attribute(NamedTuple):
    """What a classifier says of one box.

    Attributes:
        label: one of the classifier's.
        score: in 0..1.
    """

    label: str
    score: float


Attributes = Mapping[str, Attribute]  # by name: a classifier's, or that of one of its groups
NO_ATTRIBUTES: Attributes = MappingProxyType({})


def _check(name: str, array: Any, shape: tuple[int, ...], dtype: type[np.generic]) -> None:
    if isinstance(array, np.ndarray) and array.shape == shape and array.dtype == dtype:
        return
    got = f"{array.shape} {array.dtype}" if isinstance(array, np.ndarray) else repr(type(array))
    raise ShapeError(f"{name}: expected {shape} {np.dtype(dtype)}, got {got}")


def _no_ids() -> NDArray[np.int64]:
    return np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """``n`` boxes in pixels of the source frame.

    Attributes:
        xyxy: (n, 4) float32, left, top, right, bottom in source pixels.
        score: (n,) float32 in 0..1.
        class_id: (n,) int32, index into ``labels``.
        labels: the class names that ``class_id`` points into.
        track_id: (n,) int64, or (0,) when nothing tracks.
        attributes: one mapping a box, of name to label and score; empty when nothing classifies.

    Raises:
        ShapeError: an array has another shape or dtype than stated, or a class id no label.
    """

    xyxy: NDArray[np.float32]
    score: NDArray[np.float32]
    class_id: NDArray[np.int32]
    labels: tuple[str, ...]
    track_id: NDArray[np.int64] = field(default_factory=_no_ids)
    attributes: tuple[Attributes, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.xyxy)
        _check("xyxy", self.xyxy, (n, 4), np.float32)
        _check("score", self.score, (n,), np.float32)
        _check("class_id", self.class_id, (n,), np.int32)
        tracked = n if len(self.track_id) else 0
        _check("track_id", self.track_id, (tracked,), np.int64)
        if len(self.attributes) not in (0, n):
            raise ShapeError(f"attributes: expected none or {n}, got {len(self.attributes)}")
        if n and not (self.class_id.min() >= 0 and self.class_id.max() < len(self.labels)):
            raise ShapeError(
                f"class_id: expected 0..{len(self.labels) - 1}, "
                f"got {self.class_id.min()}..{self.class_id.max()}"
            )

    @classmethod
    def empty(cls, labels: tuple[str, ...] = ()) -> Detections:
        """No boxes, with the class names that boxes would have had."""
        return cls(
            np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int32), labels
        )

    def __len__(self) -> int:
        return len(self.xyxy)

    def __iter__(self) -> Iterator[tuple[str, float, NDArray[np.float32]]]:
        """Yields (label, score, xyxy) per box."""
        for row, score, class_id in zip(self.xyxy, self.score, self.class_id, strict=True):
            yield self.labels[class_id], float(score), row

    def select(self, index: NDArray[Any]) -> Detections:
        """The boxes at ``index``: a bool mask (n,) or integer indices (k,)."""
        tracks = self.track_id[index] if len(self.track_id) else self.track_id
        rows = np.arange(len(self))[index] if self.attributes else ()
        return replace(
            self,
            xyxy=self.xyxy[index],
            score=self.score[index],
            class_id=self.class_id[index],
            track_id=tracks,
            attributes=tuple(self.attributes[row] for row in rows),
        )

    def of(self, label: str) -> Detections:
        """The boxes of one class; none when the class is unknown here."""
        ids = [i for i, name in enumerate(self.labels) if name == label]
        return self.select(np.isin(self.class_id, ids))

    def attributes_of(self, index: int) -> Attributes:
        """What classifiers say of one box, by name; nothing where none ran."""
        return self.attributes[index] if self.attributes else NO_ATTRIBUTES

    def with_attributes(self, added: Mapping[int, Attributes]) -> Detections:
        """The same boxes, those at the indices of ``added`` with further attributes.

        Raises:
            ShapeError: there is no box of such an index.
        """
        if not added:
            return self
        if not 0 <= min(added) <= max(added) < len(self):
            raise ShapeError(f"attributes: expected boxes below {len(self)}, got {sorted(added)}")
        every = (self.attributes_of(i) for i in range(len(self)))
        return replace(
            self,
            attributes=tuple(
                {**had, **added[i]} if i in added else had for i, had in enumerate(every)
            ),
        )

    def merge(self, other: Detections) -> Detections:
        """Both sets of boxes; ``other``'s class ids move behind this table's labels.

        Tracks survive only when both sets have them or one of them is empty: a track id of
        nothing would be a lie.
        """
        if not other.labels:
            return self
        if not self.labels:
            return other
        shift = 0 if other.labels == self.labels else len(self.labels)
        both_tracked = all(len(d.track_id) == len(d) for d in (self, other))
        return Detections(
            np.concatenate([self.xyxy, other.xyxy]),
            np.concatenate([self.score, other.score]),
            np.concatenate([self.class_id, other.class_id + np.int32(shift)]),
            self.labels if not shift else self.labels + other.labels,
            np.concatenate([self.track_id, other.track_id]) if both_tracked else _no_ids(),
            tuple(d.attributes_of(i) for d in (self, other) for i in range(len(d)))
            if self.attributes or other.attributes
            else (),
        )

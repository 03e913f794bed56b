"""Labelled images, whatever the layout of their folder."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SHARE = 0.1  # of the images are held out, and as many decide the thresholds


class DatasetError(ValueError):
    """A folder or a file in it cannot be used; the message names it and what was expected."""


class NoLabelsError(DatasetError):
    """A folder has no labels of the kind that was looked for, in any layout."""


@dataclass(frozen=True, slots=True, eq=False)
class BoxPicture:
    """An image and its boxes.

    Attributes:
        path: a JPEG or PNG.
        group: images of one group (copies of one photograph, frames of one clip) never fall on
            both sides of a split. Empty: never held out, where the folder has no split of its own.
        xyxy: (n, 4) float32, left, top, right, bottom in pixels of the file.
        class_id: (n,) int64, index into ``BoxSet.labels``.
        score: (n,) float32, a teacher's confidence, 1 where a person drew the box.
        crowd: (m, 5) float32, left, top, right, bottom, class of regions in which objects are too
            many to be drawn: to be neither learned nor counted.
        own_split: whether the folder itself keeps the image from learning, as under ``val``;
            None where it says nothing.
    """

    path: Path
    group: str
    xyxy: NDArray[np.float32]
    class_id: NDArray[np.int64]
    score: NDArray[np.float32]
    crowd: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 5), np.float32))
    own_split: bool | None = None

    @property
    def is_held_out(self) -> bool:
        """True if it is kept for evaluation: by the folder's own split, else by its group."""
        return is_held_out(self.group) if self.own_split is None else self.own_split

    @property
    def is_for_thresholds(self) -> bool:
        """True if it is neither learnt nor held out: it decides the default thresholds."""
        return not self.is_held_out and _is_second(self.group)


@dataclass(frozen=True, slots=True)
class BoxSet:
    """Images with boxes of the classes ``labels``."""

    labels: tuple[str, ...]
    pictures: tuple[BoxPicture, ...]

    def held_out(self) -> BoxSet:
        """Return the images that are kept for evaluation."""
        return BoxSet(self.labels, tuple(p for p in self.pictures if p.is_held_out))


@dataclass(frozen=True, slots=True)
class MaskPicture:
    """An image and one grey PNG per plane, of its size.

    Attributes:
        path: a JPEG or PNG.
        group: as ``BoxPicture.group``.
        planes: by label, the PNG whose values / 255 are the probability of the plane. A plane that
            is missing here is unknown in this image, not empty.
        own_split: as ``BoxPicture.own_split``.
    """

    path: Path
    group: str
    planes: dict[str, Path]
    own_split: bool | None = None

    @property
    def is_held_out(self) -> bool:
        """As ``BoxPicture.is_held_out``."""
        return is_held_out(self.group) if self.own_split is None else self.own_split


@dataclass(frozen=True, slots=True)
class MaskSet:
    """Images with masks of the planes ``labels``."""

    labels: tuple[str, ...]
    pictures: tuple[MaskPicture, ...]

    def held_out(self) -> MaskSet:
        """Return the images that are kept for evaluation."""
        return MaskSet(self.labels, tuple(p for p in self.pictures if p.is_held_out))


def is_held_out(group: str, share: float = SHARE) -> bool:
    """Return whether a group is kept for evaluation: the same answer on every machine, for ever."""
    if not group:
        return False
    return _place(group) < share


def _is_second(group: str) -> bool:
    """Return whether a group is in the tenth behind those that are held out.

    Where a folder has a split of its own, the first tenth is learnt and the second still is not.
    """
    return bool(group) and SHARE <= _place(group) < 2 * SHARE


def _place(group: str) -> float:
    """Where in 0..1 a group's hash lies."""
    digest = hashlib.sha256(group.encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32


def to_learn(pictures: Sequence[BoxPicture]) -> list[BoxPicture]:
    """Return the images that are neither held out nor kept for the thresholds."""
    return [p for p in pictures if not (p.is_held_out or p.is_for_thresholds)]

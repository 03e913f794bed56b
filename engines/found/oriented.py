"""Rotated boxes of objects, from a detector of oriented boxes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from engines.found.boxes import BoxAgreement, Boxes
from engines.inference import Inference, View
from engines.rotated import rotated_overlaps
from mirante.detections import Detections
from mirante.rotated import enclosing


def _rotated(found: Detections) -> NDArray[np.float32]:
    """Return the (n, 5) rotated boxes; where nothing is found there is nothing to rotate."""
    return np.zeros((0, 5), np.float32) if found.rotated is None else found.rotated


class _OrientedAgreement(BoxAgreement):
    """As of upright boxes, by the overlap of the rotated ones."""

    @staticmethod
    def overlap(one: Detections, other: Detections) -> NDArray[np.float64]:
        """Return the (n, m) overlaps of the rotated boxes."""
        return rotated_overlaps(_rotated(one), _rotated(other))


@dataclass(frozen=True, eq=False)
class OrientedBoxes(Boxes):
    """The rotated boxes that a decoder gives, as (n, 5) float32 of ``mirante.rotated``.

    ``xyxy`` are the upright boxes around them.
    """

    task = "obb"
    gives = "oriented boxes"
    maker = "a detector of oriented boxes"
    agreement = _OrientedAgreement

    rotated: NDArray[np.float32]

    @classmethod
    def of(
        cls,
        rotated: NDArray[np.float32],
        score: NDArray[np.float32],
        class_id: NDArray[np.int32],
    ) -> Self:
        """Return the boxes, with the upright ones around them."""
        return cls(enclosing(rotated), score, class_id, rotated)

    def select(self, index: NDArray[Any]) -> Self:
        """Return the boxes at ``index``, integers or a bool mask, with all that is theirs."""
        return replace(super().select(index), rotated=self.rotated[index])

    def to_source(self, view: View) -> Inference:
        """Return objects; the rotated boxes of those at the frame's edge reach over it."""
        rotated = view.rotated(self.rotated)
        xyxy, inside = view.cut(enclosing(rotated))
        score, class_id = self.score[inside], self.class_id[inside]
        found = Detections(xyxy[inside], score, class_id, view.labels)
        return Inference(replace(found, rotated=rotated[inside]))

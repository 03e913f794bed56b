"""Objects with a mask each, from an instance segmenter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from engines.agreement import Figure, Limits, iou_counts
from engines.found.boxes import BoxAgreement, Boxes
from engines.inference import Inference, View
from engines.placement import Size
from mirante.detections import Detections
from mirante.mask import Mask


class _InstanceAgreement(BoxAgreement):
    """Boxes, and the overlap of the masks of objects that both found, over all images."""

    def __init__(self, thresholds: NDArray[np.float32], limits: Limits) -> None:
        super().__init__(thresholds, limits)
        self._both = self._either = 0

    def add_pair(self, expected: Detections, got: Detections, size: Size) -> None:
        """Count the pixels of the masks of one object: in both, and in either."""
        for one, other in zip(expected.masks_of(0), got.masks_of(0), strict=True):
            label = one.labels[0]
            both, either = iou_counts(one.on_frame(label, *size), other.on_frame(label, *size))
            self._both += both
            self._either += either

    def figures(self) -> dict[str, Figure]:
        """Return the figures of the boxes, and the overlap of the masks."""
        found = super().figures()
        if self._either:
            overlap = self._both / self._either
            found["iou of masks"] = Figure(overlap, at_least=self.limits.plane_iou)
        return found


@dataclass(frozen=True, eq=False)
class Instances(Boxes):
    """The boxes that an instance segmenter's decoder gives, with a mask each.

    Attributes:
        planes: of each object, (h, w) bool at the network's resolution, h and w 1 or more.
        regions: (n, 4) float32, what each plane covers: left, top, right, bottom in pixels of the
            input tensor, about the box.
    """

    task = "instances"
    gives = "instance masks"
    maker = "an instance segmenter"
    verb = "outlines"
    exported_as = "segment"
    finds_masks = True
    agreement = _InstanceAgreement

    planes: tuple[NDArray[np.bool_], ...]
    regions: NDArray[np.float32]

    def select(self, index: NDArray[Any]) -> Self:
        """Return the objects at ``index``, integers or a bool mask, with all that is theirs."""
        rows = np.arange(len(self.xyxy))[index]
        planes = tuple(self.planes[row] for row in rows)
        return replace(super().select(rows), planes=planes, regions=self.regions[rows])

    def to_source(self, view: View) -> Inference:
        """Return objects with their masks; those wholly outside the frame are left out."""
        _, inside = view.boxes(self.xyxy)
        kept = self.select(inside)
        masks = tuple(
            (_mask(view, int(class_id), plane, region),)
            for class_id, plane, region in zip(
                kept.class_id, kept.planes, view.regions(kept.regions).tolist(), strict=True
            )
        )
        found = super().to_source(view)
        return replace(found, detections=replace(found.detections, masks=masks))


def _mask(view: View, class_id: int, plane: NDArray[np.bool_], region: list[float]) -> Mask:
    left, top, right, bottom = region
    label = (view.labels[class_id],)
    return Mask.from_planes(label, plane[None], (left, top, right, bottom), view.model)

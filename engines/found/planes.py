"""Planes of classes over a whole image, from a segmenter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from engines.agreement import Figure, Limits, iou_counts
from engines.found.base import Agreement, Found, Mirrored
from engines.inference import Inference, View
from engines.placement import Size
from mirante.detections import Detections
from mirante.mask import Mask

_LEAST_PLANE_PX = 50  # a plane of fewer pixels in all images together was not seen


class _PlaneAgreement(Agreement):
    """The overlap of each plane, over all images."""

    def __init__(self, thresholds: NDArray[np.float32], limits: Limits) -> None:
        super().__init__(thresholds, limits)
        self._counts: dict[str, tuple[int, int]] = {}

    def add(self, expected: Inference, got: Inference, size: Size) -> None:
        for one, other in zip(expected.masks, got.masks, strict=True):
            for name in one.labels:
                # In the image: the planes of both may be of different sizes.
                counts = iou_counts(one.on_frame(name, *size), other.on_frame(name, *size))
                before = self._counts.get(name, (0, 0))
                self._counts[name] = (before[0] + counts[0], before[1] + counts[1])

    def figures(self) -> dict[str, Figure]:
        return {
            f"iou of {name}": Figure(both / either, at_least=self.limits.plane_iou)
            for name, (both, either) in self._counts.items()
            if either >= _LEAST_PLANE_PX
        }


def _bits(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Return the mutual information of two planes' pixels, in bits."""
    both = np.array(
        [[np.count_nonzero(a & b) for b in (other, ~other)] for a in (one, ~one)], np.float64
    )
    both /= one.size
    apart = both.sum(axis=1, keepdims=True) * both.sum(axis=0, keepdims=True)
    some = both > 0
    return float((both[some] * np.log2(both[some] / apart[some])).sum())


class PlanesKind(Found):
    """What all planes have, however they are kept."""

    task = "segment"
    gives = "planes"
    exported_as = ""  # theirs are masks of objects
    maker = "a segmenter"
    verb = "masks of"
    usual_threshold = 0.5
    finds_masks = True
    keeps_classes = True
    agreement = _PlaneAgreement
    clear_gain = 0.25

    @classmethod
    def certainty(cls, seen: Sequence[Mirrored]) -> NDArray[np.float64]:
        """Return (n,) bits that the planes of an image tell of those of its mirror image.

        A plane that is empty, full or noise tells nothing (as in Ji et al. 2019, of clusters).
        """
        return np.array(
            [
                sum(
                    _bits(one.plane(name), other.plane(name)[:, ::-1])
                    for one, other in zip(each.found.masks, each.mirrored.masks, strict=True)
                    for name in one.labels
                )
                for each in seen
            ],
            np.float64,
        )


@dataclass(frozen=True, eq=False)
class Planes(PlanesKind):
    """The planes that a segmenter's decoder gives.

    Attributes:
        planes: (len(Spec.labels), height, width) bool, of the input tensor or coarser.
    """

    planes: NDArray[np.bool_]

    def only(self, cut: tuple[int, ...]) -> Self:
        """Return these planes."""
        return replace(self, planes=self.planes[list(cut)])

    def to_source(self, view: View) -> Inference:
        """Return one mask, of the frame or of the box whose crop was looked at."""
        shown, xyxy = view.planes(self.planes)
        mask = Mask.from_planes(view.labels, shown, xyxy, view.model, view.index)
        return Inference(Detections.empty(view.labels), (mask,))


@dataclass(frozen=True, eq=False)
class PackedPlanes(PlanesKind):
    """The same from a GPU, which packs the cells that show the image.

    Attributes:
        bits: (len(Spec.labels), rows, ceil(width / 8)) uint8, as of ``Mask``.
        width: cells of a row that show the image.
        cells: width and height of the whole planes.
    """

    bits: NDArray[np.uint8]
    width: int
    cells: Size

    def only(self, cut: tuple[int, ...]) -> Self:
        """Return these planes."""
        return replace(self, bits=self.bits[list(cut)])

    def to_source(self, view: View) -> Inference:
        """Return one mask, likewise."""
        shown = view.shown(self.cells)
        mask = Mask(view.labels, self.bits, self.width, shown, view.model, view.index)
        return Inference(Detections.empty(view.labels), (mask,))

"""Attributes of an object, from a classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.agreement import Figure, Limits
from engines.found.base import Agreement, Found, Mirrored
from engines.inference import Inference, View
from engines.placement import Size
from mirante.detections import Attribute, Detections


class _LabelAgreement(Agreement):
    """The share of images on which both agree."""

    def __init__(self, thresholds: NDArray[np.float32], limits: Limits) -> None:
        super().__init__(thresholds, limits)
        self._pairs: list[tuple[Attribute, Attribute | None]] = []

    def add(self, expected: Inference, got: Inference, size: Size) -> None:
        said = got.attributes.get(None, {})
        self._pairs += [(a, said.get(name)) for name, a in expected.attributes[None].items()]

    def figures(self) -> dict[str, Figure]:
        if not self._pairs:
            return {}
        same = [(a.score, b.score) for a, b in self._pairs if b is not None and a.label == b.label]
        apart = max((abs(a - b) for a, b in same), default=0.0)
        return {
            "attributes": Figure(float(len(self._pairs))),
            "same label": Figure(len(same) / len(self._pairs), at_least=1 - self.limits.lost),
            "score max": Figure(apart, at_most=self.limits.score_max),
        }


@dataclass(frozen=True, eq=False)
class Attributes(Found):
    """The attributes that a classifier's decoder gives.

    Attributes:
        said: of the image, by name; "" stands for the model's own name.
    """

    task = "classify"
    gives = "attributes"
    maker = "a classifier"
    verb = "tells"
    needs_boxes = True
    about_boxes = "classifies boxes"
    agreement = _LabelAgreement
    clear_gain = 0.5  # what is fed too large is sure of itself, too

    said: Mapping[str, Attribute]

    @classmethod
    def certainty(cls, seen: Sequence[Mirrored]) -> NDArray[np.float64]:
        """Return (n,) scores of labels that the mirror image has, too, the lower of both.

        They say nothing where all images have the same labels, as of one that is fed wrongly.
        """
        values, said = [], set()
        for each in seen:
            found, other = each.found.attributes[None], each.mirrored.attributes[None]
            same = [
                min(a.score, other[name].score)
                for name, a in found.items()
                if name in other and other[name].label == a.label
            ]
            values.append(sum(same) / max(len(found), 1))
            said.add(tuple(sorted((name, a.label) for name, a in found.items())))
        return np.array(values) if len(said) > 1 else np.zeros(len(seen))

    def to_source(self, view: View) -> Inference:
        """Return attributes of the frame, or of the box whose crop was looked at."""
        said = {name or view.model: attribute for name, attribute in self.said.items()}
        return Inference(Detections.empty(view.labels), attributes={view.index: said})

"""Embeddings of boxes: a vector each, from a network of re-identification or of faces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.agreement import Figure, Limits
from engines.found.base import Agreement, Found
from engines.inference import Inference, View
from engines.placement import Size
from mirante.detections import Detections


class _VectorAgreement(Agreement):
    """The cosine of the angle between the vectors of both."""

    def __init__(self, thresholds: NDArray[np.float32], limits: Limits) -> None:
        super().__init__(thresholds, limits)
        self._cosine: list[float] = []

    def add(self, expected: Inference, got: Inference, size: Size) -> None:
        """Compare the vectors of one more image."""
        for index, vectors in expected.embeddings.items():
            for name, vector in vectors.items():
                a, b = (v.astype(np.float64) for v in (vector, got.embeddings[index][name]))
                length = float(np.linalg.norm(a) * np.linalg.norm(b))
                self._cosine.append(
                    float(a @ b) / length if length else float(not a.any() and not b.any())
                )

    def figures(self) -> dict[str, Figure]:
        """Return how many vectors there are, and how far apart they point."""
        if not self._cosine:
            return {}
        return {
            "vectors": Figure(float(len(self._cosine))),
            "cosine min": Figure(min(self._cosine), at_least=self.limits.cosine),
        }


@dataclass(frozen=True, eq=False)
class Embedding(Found):
    """The vector that a decoder gives.

    Attributes:
        vector: (d,) float32, finite.
        name: of it; the model's own where empty.
    """

    task = "embed"
    gives = "an embedding"
    maker = "an embedder"
    verb = "gives a vector of each box"
    needs_labels = False
    needs_boxes = True
    about_boxes = "describes boxes"
    gives_vectors = True
    agreement = _VectorAgreement

    vector: NDArray[np.float32]
    name: str = ""

    def to_source(self, view: View) -> Inference:
        """Return the vector of the frame, or of the box whose crop was looked at, as float16."""
        vectors = {self.name or view.model: self.vector.astype(np.float16)}
        return Inference(Detections.empty(view.labels), embeddings={view.index: vectors})

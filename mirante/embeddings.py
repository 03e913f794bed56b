"""Embeddings of objects: vectors that are close where objects look alike, by the model's name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from mirante.shapes import ShapeError

Vector = NDArray[np.float16]
Embeddings = Mapping[str, Vector]  # of one object, (d,) float16 each
NO_EMBEDDINGS: Embeddings = MappingProxyType({})


def check_embeddings(objects: tuple[Embeddings, ...]) -> None:
    """Check that each vector is one of float16, as long as the model's others.

    Raises:
        ShapeError: it is not; names the model.
    """
    lengths: dict[str, int] = {}
    for embeddings in objects:
        for model, vector in embeddings.items():
            got = f"{vector.shape} {vector.dtype}" if isinstance(vector, np.ndarray) else vector
            if not isinstance(vector, np.ndarray) or vector.ndim != 1 or vector.dtype != np.float16:
                raise ShapeError(f"embeddings.{model}: expected (d,) float16, got {got}")
            if len(vector) != lengths.setdefault(model, len(vector)):
                raise ShapeError(
                    f"embeddings.{model}: expected {lengths[model]} numbers as the others, "
                    f"got {len(vector)}"
                )


def stacked(objects: tuple[Embeddings, ...], model: str) -> tuple[list[int], Vector]:
    """Return the indices of the objects that have a model's vector, and these, (n, d) float16."""
    places = [i for i, embeddings in enumerate(objects) if model in embeddings]
    if not places:
        return [], np.empty((0, 0), np.float16)
    return places, np.stack([objects[i][model] for i in places])

"""The looks of objects: vectors that an embedding model makes of their crops."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engines.inference import summed
from engines.serving import Models, Served
from mirante.embeddings import Embeddings
from mirante.frame import FrameResult
from plugins.frame import Frame

Vectors = NDArray[np.float32]


class Looks(Protocol):
    """The looks of the objects of one frame.

    Attributes:
        space: of the last looks; only looks of the same space are compared.
    """

    space: object

    def at(self, places: NDArray[np.intp]) -> Vectors:
        """Return the looks of the objects at these places: (k, d) float32, each of length 1, or 0
        where an object has none.
        """


class Embedder:
    """Looks at the objects of one class with an embedding model.

    Args:
        model: zoo name, or path of a manifest.
        on: the class; objects of others have no looks.
        threads: of one inference.
        models: those of the line that it belongs to; None for a stage by itself.

    Raises:
        ValueError, OSError: the model is unknown, not available, does not load, or gives no
            embeddings.
    """

    def __init__(self, model: str, on: str, threads: int = 1, models: Models | None = None) -> None:
        self._served = (models or Models()).serve(model, threads, on=on)
        manifest = self._served.model.manifest
        if not manifest.gives_vectors:
            raise ValueError(
                f"appearance: {model} is {manifest.maker}; expected a model of embeddings "
                "(task: embed)"
            )

    def of(self, frame: Frame, result: FrameResult) -> FrameLooks:
        """Return the looks of a frame's objects, each made when it is asked for."""
        return FrameLooks(self._served, frame, result)


class FrameLooks:
    """The looks of one frame's objects, made by a model as they are asked for.

    Attributes:
        space: name and file of the model that made the last ones.
        timings: milliseconds of the model by step.
        took_ms: of all looking.
    """

    def __init__(self, served: Served, frame: Frame, result: FrameResult) -> None:
        self._served, self._frame, self._result = served, frame, result
        self.space: object = None
        self.timings: Mapping[str, float] = {}
        self.took_ms = 0.0

    def at(self, places: NDArray[np.intp]) -> Vectors:
        """Return the looks of the objects at these places."""
        began_s = time.perf_counter()
        source = (self._result.width, self._result.height)
        chosen = self._result.detections.select(places)
        model, found = self._served.run(self._frame.pixels, source, chosen)
        self.space = (model.name, model.manifest.sha256)
        looks = _rows(found.embeddings, len(chosen))
        self.timings = summed(self.timings, found.timings)
        self.took_ms += (time.perf_counter() - began_s) * 1e3
        return looks


def _rows(found: Mapping[int | None, Embeddings], count: int) -> Vectors:
    """Return one look a row, of length 1: the first that a model of several gives."""
    each = {i: next(iter(vectors.values())) for i, vectors in found.items() if i is not None}
    rows = np.zeros((count, max(map(len, each.values()), default=0)), np.float32)
    for place, vector in each.items():
        rows[place] = vector
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(length > 0, length, 1), np.float32)

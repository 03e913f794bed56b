"""Embeddings of objects to the binary fields of a ``detections`` entry and back.

A field holds the vectors of one model, one object after another, as little-endian float16.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mirante.detections import Detections
from mirante.embeddings import Embeddings, stacked
from mirante.shapes import ShapeError
from mirante.wire.errors import WireError
from mirante.wire.messages import EmbeddingPart

_TYPE = np.dtype("<f2")


def encode_vectors(
    detections: Detections, models: Sequence[str]
) -> list[tuple[EmbeddingPart, bytes]]:
    """Return the description and the bytes of each model's vectors, of models that have any.

    Raises:
        WireError: a vector is not finite.
    """
    parts: list[tuple[EmbeddingPart, bytes]] = []
    for model in dict.fromkeys(models):
        places, vectors = stacked(detections.embeddings, model)
        if not places:
            continue
        if not np.isfinite(vectors).all():
            raise WireError(f"embeddings.{model}: expected finite numbers")
        field, size = f"e{len(parts)}", vectors.shape[1]
        part = EmbeddingPart(field=field, model=model, size=size, objects=places)
        parts.append((part, vectors.astype(_TYPE).tobytes()))
    return parts


def with_vectors(
    detections: Detections, parts: Sequence[EmbeddingPart], fields: Mapping[str, bytes]
) -> Detections:
    """Return the objects with the vectors that the fields of their entry hold.

    Raises:
        WireError: a field is missing, used twice or of another length than its description says,
            or there is no such object.
    """
    if len({part.field for part in parts}) < len(parts):
        raise WireError("embeddings: expected a field of its own for each model")
    added: dict[int, dict[str, np.ndarray]] = {}
    for part in parts:
        data = fields.get(part.field, b"")
        expected = len(part.objects) * part.size * _TYPE.itemsize
        if len(data) != expected:
            raise WireError(f"{part.field}: expected {expected} bytes, got {len(data)}")
        rows = np.frombuffer(data, _TYPE).astype(np.float16).reshape(-1, part.size)
        for place, row in zip(part.objects, rows, strict=True):
            added.setdefault(place, {})[part.model] = row
    known: Mapping[int, Embeddings] = added
    try:
        return detections.with_embeddings(known)
    except ShapeError as error:
        raise WireError(f"objects: {error}") from error

"""Embeddings: nothing in the numbers tells them from classes, so they are read where asked for."""

from __future__ import annotations

import numpy as np

from engines.convert.recognise.evidence import Fit, Misfit, Seen

LEAST = 8  # numbers of a vector; fewer are angles, a quality or classes


def embedding(seen: Seen) -> list[Fit]:
    """``embedding``, of the one output that is a row of numbers."""
    rows = [t for t in seen.tensors if t.value.ndim in (1, 2, 4) and t.value.dtype.kind == "f"]
    rows = [t for t in rows if max(t.shape, default=0) == t.value.size >= LEAST]
    if len(rows) != 1:
        raise Misfit(f"{len(rows)} outputs (1, d) of {LEAST} floats or more; expected one")
    tensor = rows[0]
    length = float(np.linalg.norm(tensor.value.astype(np.float64)))
    reasons = (
        f"{tensor}: a vector of {tensor.value.size} numbers, as asked",
        f"of length {length:.3g}; it is divided by its length, if not normalise: false",
    )
    return [Fit("embedding", seen.sole(tensor), 0, reasons)]

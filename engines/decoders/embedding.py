"""Networks of re-identification and of faces, such as OSNet and ArcFace: a vector of the image."""

from __future__ import annotations

import numpy as np

from engines.decoders import OptionError, Outputs, Spec, sole
from engines.found import Embedding

LARGEST = float(np.finfo(np.float16).max)


def decode(
    outputs: Outputs,
    spec: Spec,
    *,
    output: str | None = None,
    normalise: bool = True,
    name: str = "",
) -> Embedding:
    """The vector of the whole image or crop.

    Args:
        outputs: the network's outputs by name: (1, d), (d,) or (1, d, 1, 1).
        spec: not needed.
        output: name of the output; may be left out when there is only one.
        normalise: divide the vector by its length, so that the product of two is the cosine of the
            angle between them.
        name: of the vector, where a network has several heads that give one; the model's own where
            empty.

    Raises:
        OptionError: the output is no vector, or without ``normalise`` has numbers that no float16
            holds.
    """
    found = sole(outputs, output)
    if found.size < 2 or max(found.shape) != found.size or found.dtype.kind != "f":
        raise OptionError(
            f"embedding: expected an output (1, d) of floats, got {found.shape} {found.dtype}"
        )
    vector = found.reshape(-1).astype(np.float32)
    length = float(np.linalg.norm(vector))
    if normalise and length > 0:
        vector = vector / np.float32(length)
    if float(np.abs(vector).max()) > LARGEST:
        raise OptionError(
            f"options.normalise: expected true, as the vector reaches {np.abs(vector).max():g} and "
            f"float16 {LARGEST:g}"
        )
    return Embedding(vector, name)

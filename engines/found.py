"""What decoders give: boxes, planes, attributes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mirante.detections import Attribute


class Boxes(NamedTuple):
    """What a detector's decoder gives.

    Attributes:
        xyxy: (n, 4) float32, left, top, right, bottom in pixels of the input tensor.
        score: (n,) float32 in 0..1, at or above the threshold of its class.
        class_id: (n,) int32, index into ``Spec.labels``.
    """

    xyxy: NDArray[np.float32]
    score: NDArray[np.float32]
    class_id: NDArray[np.int32]


Planes = NDArray[np.bool_]  # (len(Spec.labels), height, width)


Attributes = dict[str, Attribute]  # of the picture, by name; "" stands for the model's own

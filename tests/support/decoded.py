"""Specs, and how boxes that a decoder gave are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.decoders import Decoder, Spec
from engines.found import Boxes, Found, Planes

LABELS = ("cat", "dog", "emu")


def spec(
    threshold: float | list[float] = 0.3,
    size: tuple[int, int] = (96, 64),
    labels: tuple[str, ...] = LABELS,
) -> Spec:
    least = np.broadcast_to(np.array(threshold, np.float32), len(labels)).copy()
    return Spec(labels, least, 0.45, size)


def boxes_of(decoder: Decoder, outputs: Mapping[str, NDArray[Any]], s: Spec) -> Boxes:
    found = decoder(outputs, s)
    assert isinstance(found, Boxes)
    assert found.xyxy.dtype == found.score.dtype == np.float32
    assert found.class_id.dtype == np.int32
    return found


def planes_of(found: Found) -> NDArray[np.bool_]:
    assert isinstance(found, Planes)
    assert found.planes.dtype == np.bool_
    return found.planes


def least_of(s: Spec) -> list[float]:
    return [float(t) for t in s.threshold]

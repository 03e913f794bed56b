"""Images that a pipeline gives."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from plugins.bindings import structure_of


def image_of(sample: Any) -> NDArray[np.uint8]:
    """The pixels of a sample of RGB."""
    shape, buffer = structure_of(sample.get_caps()), sample.get_buffer()
    width, height = shape.get_value("width"), shape.get_value("height")
    rows = np.frombuffer(buffer.extract_dup(0, buffer.get_size()), np.uint8).reshape(height, -1)
    return rows[:, : width * 3].reshape(height, width, 3)

"""Images as OpenCV reads them, which all must be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def read_image(path: Path, flags: int = cv2.IMREAD_COLOR) -> NDArray[np.uint8]:
    """Return the image of a file, BGR by default."""
    return _whole(cv2.imread(str(path), flags))


def decode_image(
    data: bytes | NDArray[np.uint8], flags: int = cv2.IMREAD_COLOR
) -> NDArray[np.uint8]:
    """Return the image of a JPEG or PNG, BGR by default."""
    return _whole(cv2.imdecode(np.frombuffer(data, np.uint8), flags))


def _whole(image: Any) -> NDArray[np.uint8]:
    assert image is not None
    return np.asarray(image, np.uint8)

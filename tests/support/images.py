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


def sized(content: bytes, width: int, height: int) -> bytes:
    """Return a JPEG or PNG that says to have another size than it has."""
    changed = bytearray(content)
    if content.startswith(b"\x89PNG"):
        changed[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
        return bytes(changed)
    at = max(content.rfind(b"\xff\xc0\x00\x11"), content.rfind(b"\xff\xc2\x00\x11"))
    changed[at + 5 : at + 9] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return bytes(changed)


def _whole(image: Any) -> NDArray[np.uint8]:
    assert image is not None
    return np.asarray(image, np.uint8)

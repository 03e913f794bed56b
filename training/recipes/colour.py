"""Changes of light and camera that leave every pixel in its place."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def jitter(
    rgb: NDArray[np.uint8], random: np.random.Generator, strength: float = 1.0
) -> NDArray[np.uint8]:
    """Another hue, saturation, brightness and contrast; at times grey, noisy, blurred or blocky.

    Args:
        rgb: (h, w, 3) uint8.
        random: what is drawn from.
        strength: 1 is a street at other times of day.
    """
    hue, saturation, value = 1 + strength * random.uniform(-1, 1, 3) * (0.02, 0.6, 0.4)
    gamma = np.exp(strength * random.uniform(-0.35, 0.35))
    hsv = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)
    steps = np.arange(256, dtype=np.float64)
    bright = 255 * (np.clip(steps * value, 0, 255) / 255) ** gamma
    tables = ((steps * hue) % 180, np.clip(steps * saturation, 0, 255), bright)
    table = np.stack(tables, axis=-1).astype(np.uint8)[None]
    changed = cv2.cvtColor(cv2.LUT(hsv, table), cv2.COLOR_HSV2RGB)
    kind = random.random()
    if kind < 0.05:
        changed = cv2.cvtColor(cv2.cvtColor(changed, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    elif kind < 0.15:
        quality = int(random.integers(20, 60))
        _, packed = cv2.imencode(".jpg", changed, [cv2.IMWRITE_JPEG_QUALITY, quality])
        decoded = cv2.imdecode(packed, cv2.IMREAD_COLOR)
        assert decoded is not None
        changed = decoded
    elif kind < 0.25:
        changed = cv2.GaussianBlur(changed, (3, 3), 0)
    elif kind < 0.3:
        noise = random.normal(0, 10 * strength, changed.shape)
        changed = (changed + noise).clip(0, 255).astype(np.uint8)
    return np.asarray(changed, np.uint8)

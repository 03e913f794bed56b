"""Medical use: vessels of the retina, two U-Nets in a row."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import engines
from tests.support import support_table as support

pytestmark = pytest.mark.models
data = pytest.importorskip("skimage.data", reason="scikit-image is not installed")


@pytest.mark.slow
def test_vessels_are_found_in_a_retina(weights: Path) -> None:
    rgb = data.retina()  # ships with the library
    (mask,) = engines.load("lwnet", threads=2)(rgb).masks
    found = mask.on_frame("vessel", rgb.shape[1], rgb.shape[0])
    # Where the eye is, off its rim; vessels are darker in green than what is around them.
    fundus = cv2.erode((rgb[..., 0] > 40).astype(np.uint8), np.ones((61, 61))) > 0
    green = rgb[..., 1].astype(np.float32)
    darkness = cv2.GaussianBlur(green, (0, 0), 25) - cv2.GaussianBlur(green, (0, 0), 3)
    vessel, other = found & fundus, ~found & fundus
    assert 0.05 < vessel.sum() / fundus.sum() < 0.25
    assert darkness[vessel].mean() > 8
    assert darkness[other].mean() < 0
    # What is clearly dark and thin is a vessel; the macula is dark and wide.
    assert (found & fundus & (darkness > 15)).sum() / (fundus & (darkness > 15)).sum() > 0.9
    # It is one tree for the most part, no specks.
    _, _, stats, _ = cv2.connectedComponentsWithStats(vessel.astype(np.uint8), connectivity=8)
    assert stats[1:, cv2.CC_STAT_AREA].max() / vessel.sum() > 0.5
    support.record("W-Net (lwnet)", "PyTorch", "onnxruntime", "fp32")

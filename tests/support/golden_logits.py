"""What our own models said of an image that is drawn, when they were trained.

``python tests/support/golden_logits.py`` writes tests/support/golden/<name>.npz again.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.manifest import find
from engines.runtimes import open_session
from engines.store.models import resolve_file

FOLDER = Path(__file__).parent / "golden"
NAMES = ("road", "face")
STEP = 8  # every eighth value is kept, of planes across and down


def logits(name: str) -> NDArray[np.float32]:
    """(planes, h / 8, w / 8) float32 of a segmenter for an image of soft blots."""
    return _output(name)[0, :, ::STEP, ::STEP]


def columns(name: str) -> NDArray[np.float32]:
    """(4 + classes, n / 8) float32 of a detector for the same image."""
    return _output(name)[0, :, ::STEP]


def _output(name: str) -> NDArray[np.float32]:
    manifest = find(name)
    width, height = manifest.input.size
    blots = np.random.default_rng(0).random((12, 20, 3), np.float32)
    picture = np.clip(cv2.resize(blots, (width, height), interpolation=cv2.INTER_LINEAR), 0, 1)
    tensor = np.ascontiguousarray(picture.transpose(2, 0, 1)[None])
    session = open_session("onnxruntime", resolve_file(manifest), 1)
    output = session.run({manifest.input.name: tensor})["output"]
    return np.asarray(output, np.float32)


def main() -> None:
    """Writes one file a model."""
    for name in NAMES:
        np.savez_compressed(FOLDER / f"{name}.npz", logits=logits(name))
    np.savez_compressed(FOLDER / "street.npz", columns=columns("street"))


if __name__ == "__main__":
    main()

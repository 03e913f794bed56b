"""What the zoo gave on fixed frames of the shared clips when its images were looked at.

``python tests/support/golden_outputs.py`` writes tests/engines/golden again (weights and clips are
needed); look at the differences before committing them.
"""

from __future__ import annotations

import base64
import json
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import engines
from engines.store.models import default_mirror
from mirante import Detections, Mask
from tests.support.shared_clips import clip_frame

FOLDER = Path(__file__).parent / "golden"
BOXES = {
    "yolox-nano": [("highway.mp4", 100), ("highway.mp4", 600), ("bikes.mp4", 120)],
    "yolox-street": [("highway.mp4", 100), ("highway.mp4", 600), ("bikes.mp4", 120)],
    "deimv2-femto": [("highway.mp4", 100), ("highway.mp4", 600), ("bikes.mp4", 120)],
    "yunet": [("carphone.mp4", 10), ("carphone.mp4", 110)],
}
LANES = ("twinlitenet", "lanes.mp4", 210)  # of the last part, which training never sees


def rows_of(found: Detections) -> list[list[Any]]:
    """[label, score, left, top, right, bottom] per box."""
    return [[s, round(p, 3), *np.round(b.astype(float), 1).tolist()] for s, p, b in found]


def packed(mask: Mask) -> dict[str, Any]:
    """A mask as JSON: its bits deflated, in base64."""
    data = base64.b64encode(zlib.compress(mask.bits.tobytes(), 9)).decode()
    return {"labels": list(mask.labels), "shape": list(mask.planes.shape), "bits": data}


def read(name: str, clip: str, index: int) -> Any:
    """Return the outputs that ``main`` stored for a model and a frame."""
    return json.loads((FOLDER / f"{name}.json").read_text())[f"{clip}:{index}"]


def planes_of(golden: dict[str, Any]) -> NDArray[np.bool_]:
    """(c, h, w) bool, from what ``packed`` made."""
    labels, height, width = golden["shape"]
    raw = zlib.decompress(base64.b64decode(golden["bits"]))
    bits = np.frombuffer(raw, np.uint8).reshape(labels, height, -1)
    return np.unpackbits(bits, axis=-1, count=width).view(np.bool_)


def main() -> None:
    """Runs the models and writes one file each."""
    os.environ["MIRANTE_MODEL_MIRROR"] = str(default_mirror())
    FOLDER.mkdir(exist_ok=True)
    written: dict[str, Any] = {}
    for name, frames in BOXES.items():
        model = engines.load(name)
        written[name] = {
            f"{clip}:{index}": rows_of(model(clip_frame(clip, index)).detections)
            for clip, index in frames
        }
    name, clip, index = LANES
    (mask,) = engines.load(name)(clip_frame(clip, index)).masks
    written[name] = {f"{clip}:{index}": packed(mask)}
    for name, data in written.items():
        (FOLDER / f"{name}.json").write_text(json.dumps(data, indent=1) + "\n")


if __name__ == "__main__":
    main()

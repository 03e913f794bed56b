"""Makes the picture of docs/bridges/gstreamer.md: GStreamer's own overlay over what Mirante finds.

    .venv/bin/python docs/gstreamer_sheet.py .cache/demo/vtest.avi docs/images/gstreamer.jpg

The line runs in the GStreamer of Debian 13 that ``./run test`` puts into ``.cache/gst-1.26``; the
clip is decoded here, as there are no decoders in it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).parents[1]
FRAMES, SIZE, FPS = 60, (768, 576), 10


def decoded(clip: Path) -> np.ndarray:
    """The first frames of a clip: (n, height, width, 3) uint8 RGB."""
    reader = cv2.VideoCapture(str(clip))
    read = [cv2.resize(reader.read()[1], SIZE) for _ in range(FRAMES)]
    return np.array(read)[..., ::-1]


def drawn(frames: np.ndarray, folder: Path) -> np.ndarray:
    """The last frame as objectdetectionoverlay leaves it: (height, width, 3) uint8 RGB."""
    frames.tofile(folder / "in.rgb")
    width, height = SIZE
    line = (
        f"filesrc location={folder}/in.rgb "
        f"! rawvideoparse format=rgb width={width} height={height} framerate={FPS}/1 "
        "! mirinfer model=yolox-street ! mirtrack "
        "! objectdetectionoverlay object-detection-outline-color=0xffffd000 "
        f"! filesink location={folder}/out.rgb"
    )
    environment = {**os.environ, "GST_PLUGIN_PATH": str(ROOT / "plugins")}
    program = (str(ROOT / ".cache/gst-1.26/run"), "gst-launch-1.0", "-q")
    subprocess.run([*program, *line.split()], env=environment, check=True)
    return np.fromfile(folder / "out.rgb", np.uint8).reshape(-1, height, width, 3)[-1]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        image = drawn(decoded(Path(sys.argv[1])), Path(folder))
    cv2.imwrite(sys.argv[2], image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])

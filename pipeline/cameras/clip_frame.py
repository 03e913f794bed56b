"""One frame of a clip as a camera shows it, read by a process of its own (``pipeline.gst.frames``).

So nothing of GStreamer is where stages are debugged.
"""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.config.camera import CameraOptions

NO_FRAME, NO_CLIP = 3, 4  # exit statuses


class Wanted(msgspec.Struct, frozen=True):
    """The request that the process reads: a clip, a frame's number, keys of ``CameraOptions``."""

    path: str
    number: int
    options: dict[str, Any]


def clip_frame(path: Path, number: int, options: CameraOptions) -> NDArray[np.uint8]:
    """Return a frame of a clip: (height, width, 3) uint8 RGB, turned, cut and painted, not scaled.

    Args:
        path: the clip.
        number: of the frame, from 0; those before it are decoded too.
        options: the camera's.

    Raises:
        ValueError: there is no frame of that number.
        OSError: the clip cannot be read.
    """
    keys = options.model_dump(mode="json", include=set(CameraOptions.model_fields) - {"stages"})
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.gst.frames"],
        input=msgspec.json.encode(Wanted(str(path), number, keys)),
        capture_output=True,
        check=False,
    )
    if done.returncode == 0:
        return np.asarray(np.load(io.BytesIO(done.stdout)), np.uint8)
    if done.returncode in {NO_FRAME, NO_CLIP}:
        raise (ValueError if done.returncode == NO_FRAME else OSError)(done.stdout.decode())
    words = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
    raise OSError(f"{path}: cannot be read: {words}")

"""The street that docs/quiet_sleep.py and docs/quiet_missed.py draw and encode."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import cv2
import gi
import numpy as np

gi.require_version("Gst", "1.0")
from gi.repository import Gst
from numpy.typing import NDArray

Gst.init(None)
QUALITY = (
    "x264enc speed-preset=veryfast key-int-max=50 bframes=0 pass=qual quantizer=26 "
    "option-string=scenecut=0"
)


def still(random: np.random.Generator, size: tuple[int, int]) -> NDArray[np.float32]:
    """Return a (height, width) image of a street without grain."""
    width, height = size
    small = random.uniform(40, 200, (height // 40, width // 40)).astype(np.float32)
    return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_CUBIC), np.float32)


def run(pipeline: Any, images: Iterable[NDArray[np.uint8]], fps: int) -> None:
    """Send images through a pipeline's element ``source``, and wait for its end."""
    pipeline.set_state(Gst.State.PLAYING)
    source = pipeline.get_by_name("source")
    for number, image in enumerate(images):
        buffer = Gst.Buffer.new_wrapped(image.tobytes())
        buffer.pts, buffer.duration = number * Gst.SECOND // fps, Gst.SECOND // fps
        source.emit("push-buffer", buffer)
    source.emit("end-of-stream")
    pipeline.get_bus().timed_pop_filtered(Gst.CLOCK_TIME_NONE, Gst.MessageType.EOS)
    pipeline.set_state(Gst.State.NULL)

"""Makes the clips that ``mirante bench gpu`` decodes and its cameras send: one second each.

usage: PYTHONPATH=FOLDER python -m tests.support.make_1080p_clips, where FOLDER is the one that
``benchmarks.line.pyav`` gives; with libx264 and libx265
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from importlib import import_module
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.gpu.decoding import CLIPS, FPS, SHIPPED
from pipeline.cameras.synthetic import picture

SIZE = 1920, 1080
_COMMON = f"keyint={FPS}:min-keyint={FPS}:scenecut=0:bframes=0:ref=1:aud=1:repeat-headers=1"
ENCODERS = {
    "H.264": (
        "libx264",
        {"x264-params": f"{_COMMON}:bitrate=1500:vbv-maxrate=1500:vbv-bufsize=1500"},
    ),
    "H.265": ("libx265", {"x265-params": f"{_COMMON}:bitrate=1000:info=0:log-level=error"}),
}


def pictures() -> Iterator[NDArray[np.uint8]]:
    """Yield a second of the synthetic camera's images, over grain that stands still."""
    chance = np.random.default_rng(0)
    grain = cv2.GaussianBlur(chance.normal(0, 60, SIZE[::-1]), (0, 0), 3)
    for n in range(FPS):
        image = picture(n, *SIZE).astype(np.float64) + grain[..., None]
        yield image.clip(0, 255).astype(np.uint8)


def main() -> None:
    """Write both clips."""
    av: Any = import_module("av")
    SHIPPED.mkdir(exist_ok=True)
    images = list(pictures())
    for codec, (name, options) in ENCODERS.items():
        encoder = av.CodecContext.create(name, "w")
        encoder.width, encoder.height = SIZE
        encoder.pix_fmt, encoder.options = "yuv420p", {"preset": "slow", **options}
        encoder.time_base, encoder.framerate = Fraction(1, FPS), Fraction(FPS, 1)
        with (SHIPPED / CLIPS[codec]).open("wb") as file:
            for n, image in enumerate(images):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts = n
                for packet in encoder.encode(frame):
                    file.write(bytes(packet))
            for packet in encoder.encode(None):
                file.write(bytes(packet))


if __name__ == "__main__":
    main()

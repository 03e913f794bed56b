"""Measures what a camera that is asleep misses between two key frames, in docs/quiet.md.

    .venv/bin/python docs/quiet_missed.py

Draws a street with grain, 640x360 at 25 frames a second and a key frame every 2 s. In every other
group something grey crosses a part of it within a second, so that no key frame shows it. Prints how
often the sizes of the encoded images tell of it, and how often they do although nothing is there.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import gi
import numpy as np

gi.require_version("Gst", "1.0")
from gi.repository import Gst
from numpy.typing import NDArray
from quiet_street import QUALITY, run, still

from pipeline.cameras.sleep import Sizes

SIZE, FPS, GROUP, GROUPS = (640, 360), 25, 50, 25
KNOWN = 5  # groups after which the sizes are
FIRST, LAST, STEP = 12, 37, 4  # images of a group in which it is there; pixels from one to the next
CONSTANT = (
    "x264enc speed-preset=veryfast key-int-max=50 bframes=0 bitrate=500 "
    "option-string=scenecut=0:nal-hrd=cbr"
)
WAYS = {  # encoder, standard deviation of the grain
    "constant quality": (QUALITY, 1.5),
    "constant quality, much grain": (QUALITY, 4.0),
    "constant bit rate": (CONSTANT, 1.5),
}


def street(side: int, grain: float) -> Iterator[NDArray[np.uint8]]:
    """Yield (height, width) images; something of ``side`` pixels comes in every other group."""
    width, height = SIZE
    random = np.random.default_rng(side)
    empty = still(random, SIZE)
    noise = random.normal(0, grain, (height + 64, width + 64)).astype(np.float32)
    thing = cv2.resize(random.uniform(20, 220, (4, 4)).astype(np.float32), (side, side))
    for number in range(GROUP * GROUPS):
        y, x = random.integers(0, 64, 2)
        image = empty + noise[y : y + height, x : x + width]
        at = number % GROUP
        if number // GROUP % 2 and FIRST <= at < LAST:
            left = 200 + (at - FIRST) * STEP
            image[180 : 180 + side, left : left + side] = thing
        yield np.clip(image, 0, 255).astype(np.uint8)


def sizes_of(images: Iterator[NDArray[np.uint8]], encoder: str) -> list[int]:
    """Return the size of each encoded image."""
    width, height = SIZE
    caps = f"video/x-raw,format=GRAY8,width={width},height={height},framerate={FPS}/1"
    pipeline = Gst.parse_launch(
        f"appsrc name=source format=time block=true max-buffers=4 caps={caps} ! videoconvert "
        f"! video/x-raw,format=I420 ! {encoder} threads=2 ! h264parse "
        "! video/x-h264,alignment=au ! appsink name=out sync=false"
    )
    sizes: list[int] = []

    def on_image(_pad: object, info: Gst.PadProbeInfo) -> Gst.PadProbeReturn:
        sizes.append(info.get_buffer().get_size())
        return Gst.PadProbeReturn.DROP

    sink = pipeline.get_by_name("out").get_static_pad("sink")
    sink.add_probe(Gst.PadProbeType.BUFFER, on_image)
    run(pipeline, images, FPS)
    return sizes


def told(sizes: list[int]) -> tuple[int, int]:
    """Return the number of groups in which the sizes tell of something: of those that show
    something, and of those that do not.
    """
    usual = Sizes()
    groups: set[int] = set()
    for number, size in enumerate(sizes):
        group, at = divmod(number, GROUP)
        if group in groups and at:  # it is awake
            continue
        if at and (group >= KNOWN or group % 2 == 0) and usual.came(size):
            groups.add(group)
    groups -= set(range(KNOWN))
    return sum(each % 2 for each in groups), sum(each % 2 == 0 for each in groups)


def main() -> None:
    """Measure each encoder and each size."""
    there = sum(each % 2 for each in range(KNOWN, GROUPS))
    for name, (encoder, grain) in WAYS.items():
        for side in (8, 16, 32, 64):
            right, wrong = told(sizes_of(street(side, grain), encoder))
            print(f"{name}, {side} pixels: {right} of {there}; {wrong} without", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()

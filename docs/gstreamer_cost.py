"""Measures what relation meta costs a frame, for docs/bridges/gstreamer.md.

    .cache/gst-1.26/run python3.13 docs/gstreamer_cost.py

In the GStreamer of Debian 13 that ``./run test`` puts there. A stage puts the same results into
each frame; CPU of the process per frame without ``meta`` and with it, and what reading it takes,
in rounds that take turns; the median of the rounds.
"""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import replace
from typing import Any

import gi
import numpy as np

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from mirante.detections import Detections
from mirante.frame import FrameResult
from mirante.mask import Mask
from plugins.elements import register
from plugins.meta.mirror import Mirror

FRAMES, ROUNDS, SIZE = 300, 7, (640, 360)


def found(objects: int, masks: bool) -> FrameResult:
    """A frame's result: tracked objects, each with a mask of 28 by 28 where there are masks, and a
    mask of two planes of the whole frame, at 160 by 90.
    """
    corners = np.random.default_rng(1).integers(0, 180, (objects, 4)).astype(np.float32)
    corners[:, 2:] += corners[:, :2] + 10
    own = Mask.from_planes(("person",), np.ones((1, 28, 28), np.bool_), (0.0, 0.0, 50.0, 50.0))
    planes = np.zeros((2, 90, 160), np.bool_)
    planes[0, 40:] = True
    whole = Mask.from_planes(("road", "lane"), planes, (0.0, 0.0, *map(float, SIZE)))
    detections = Detections(
        corners,
        np.full(objects, 0.5, np.float32),
        np.zeros(objects, np.int32),
        ("person",),
        np.arange(objects),
        masks=((own,),) * objects if masks else (),
    )
    empty = FrameResult("gate", 0, 0, 0, "arrival", *SIZE)
    return replace(empty, detections=detections, masks=(whole,) if masks else ())


class Constant:
    """Puts the same objects and masks into each frame."""

    known: FrameResult

    def __call__(self, _frame: Any, result: FrameResult) -> FrameResult:
        """Return the result with them."""
        return replace(result, detections=self.known.detections, masks=self.known.masks)


def line_us(meta: bool) -> float:
    """CPU per frame of a line, in microseconds."""
    pipeline = Gst.parse_launch(
        f"videotestsrc num-buffers={FRAMES} pattern=black "
        f"! video/x-raw,format=RGB,width={SIZE[0]},height={SIZE[1]} "
        f"! mirstage python=docs.gstreamer_cost:Constant meta={str(meta).lower()} ! fakesink"
    )
    began = time.process_time()
    pipeline.set_state(Gst.State.PLAYING)
    message = pipeline.get_bus().timed_pop_filtered(120 * Gst.SECOND, Gst.MessageType.EOS)
    took = time.process_time() - began
    pipeline.set_state(Gst.State.NULL)
    assert message is not None
    return took / FRAMES * 1e6


def reading_us(result: FrameResult) -> float:
    """CPU of reading a frame's meta, in microseconds."""
    buffer = Gst.Buffer.new()
    Mirror().show(buffer, 1, result, SIZE)
    empty = replace(result, detections=Detections.empty(), masks=())
    began = time.process_time()
    for _ in range(FRAMES):
        Mirror().read(buffer, 1, empty, SIZE)
    return (time.process_time() - began) / FRAMES * 1e6


def main() -> None:
    """Print a row for each kind of frame."""
    Gst.init(None)
    register()
    sys.stdout.write("objects masks: without, with, reading; microseconds of CPU a frame\n")
    for objects, masks in ((0, False), (1, False), (10, False), (30, False), (10, True)):
        Constant.known = found(objects, masks)
        line_us(True)
        rounds = [
            (line_us(False), line_us(True), reading_us(Constant.known)) for _ in range(ROUNDS)
        ]
        medians = [statistics.median(each) for each in zip(*rounds, strict=True)]
        row = " ".join(f"{each:.0f}" for each in medians)
        sys.stdout.write(f"{objects} {masks}: {row}\n")


if __name__ == "__main__":
    sys.modules["docs.gstreamer_cost"] = sys.modules["__main__"]
    main()

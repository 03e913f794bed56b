"""What a clip shows, played by a decoder of GStreamer's."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import gi
import numpy as np
from numpy.typing import NDArray

gi.require_version("Gst", "1.0")
gi.require_version("GstVideo", "1.0")
from gi.repository import Gst, GstVideo

from pipeline.config.launch import quoted

Gst.init(None)


class Played(NamedTuple):
    """An image: (height, width, 3) uint8 RGB, and when it is shown, in ns of the clip."""

    pixels: NDArray[np.uint8]
    pts_ns: int


def played(path: Path) -> list[Played]:
    """Every image of a file, in the order in which they are shown."""
    pipeline = Gst.parse_launch(
        f"filesrc location={quoted(str(path))} ! qtdemux ! decodebin ! videoconvert ! "
        "video/x-raw,format=RGB ! appsink name=out sync=false"
    )
    pipeline.set_state(Gst.State.PLAYING)
    images = []
    try:
        while sample := pipeline.get_by_name("out").emit("try-pull-sample", 20 * Gst.SECOND):
            info = GstVideo.VideoInfo.new_from_caps(sample.get_caps())
            buffer = sample.get_buffer()
            with buffer.map(Gst.MapFlags.READ) as mapped:
                shape, strides = (info.height, info.width, 3), (info.stride[0], 3, 1)
                pixels = np.ndarray(shape, np.uint8, mapped.data, strides=strides).copy()
            images.append(Played(pixels, buffer.pts))
        message = pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR)
        assert message is None, message.parse_error()
    finally:
        pipeline.set_state(Gst.State.NULL)
    return images

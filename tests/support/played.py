"""Clips that a camera has made, and what they show, played by a decoder of GStreamer's."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

import gi
import numpy as np
from numpy.typing import NDArray

gi.require_version("Gst", "1.0")
gi.require_version("GstVideo", "1.0")
from gi.repository import Gst, GstVideo

from mirante.clips import Clip, Part
from pipeline.config.launch import quoted
from pipeline.control.clip_store import ClipStore

Gst.init(None)

PATIENCE_S = 60.0


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
        while sample := pipeline.get_by_name("out").emit("try-pull-sample", 60 * Gst.SECOND):
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


def kept(store: ClipStore, camera: str, timeout_s: float = PATIENCE_S) -> Clip:
    """The newest clip of a camera, once there is one and none is being recorded."""
    until_s = time.monotonic() + timeout_s
    while not (clips := store.listed(camera)) or store.drafts(camera):
        assert time.monotonic() < until_s, f"no clip in {timeout_s} s"
        time.sleep(0.05)
    return clips[0]


def file_of(store: ClipStore, clip: Clip, part: Part = "mp4") -> Path:
    found = store.find(clip.camera, clip.id, part)
    assert found is not None
    assert found.path is not None
    return found.path

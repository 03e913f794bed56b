"""Frames that come as planes: the same pixels as RGB, made when somebody asks for them."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from gi.repository import Gst
from numpy.typing import NDArray

from engines.image import image_of
from engines.manifest import Input
from engines.preprocess import Preprocessor
from plugins.colour.layout import Layout
from plugins.element import PLANES, RGB
from plugins.elements import register
from plugins.frame import Converted, PlanarFrame
from tests.support import recorded_stages
from tests.support.patches import PATCHES, patches_of, yuv

NUMBERS = {"bt709": 3, "bt601": 4, "bt2020": 6}  # GstVideoColorMatrix
RECORD = "mirstage python=tests.support.recorded_stages:Record"
OFFERED = f'capsfilter caps="{PLANES.to_string()};{RGB.to_string()}"'.replace("(string)", "")
SIZES = [(64, 16), (72, 17), (64, 1)]
CORNER = "[[[0,0],[0.01,0],[0,0.01]]]"


def i420(size: tuple[int, int], colours: str) -> tuple[Gst.Caps, Gst.Buffer]:
    """Return the patches, in columns of even width, with rows padded as GStreamer pads them."""
    span, matrix = colours.split(":")[:2]
    weights = next(name for name, number in NUMBERS.items() if str(number) == matrix)
    width, height = size
    row = np.repeat(yuv(PATCHES, weights, span == "1").round(), width // 8, 0).astype(np.uint8)
    halved = -(-height // 2)
    planes = [np.tile(row[:, 0], (height, 1))]
    planes += [np.tile(row[::2, channel], (halved, 1)) for channel in (1, 2)]
    padded = [np.pad(plane, ((0, 0), (0, -plane.shape[1] % 4))) for plane in planes]
    padded[0] = np.pad(padded[0], ((0, height % 2), (0, 0)))
    shape = f"video/x-raw,format=I420,width={width},height={height},framerate=10/1"
    caps = Gst.Caps.from_string(f"{shape},colorimetry={colours}")
    return caps, Gst.Buffer.new_wrapped(b"".join(plane.tobytes() for plane in padded))


def frame_of(size: tuple[int, int], colours: str) -> PlanarFrame:
    caps, buffer = i420(size, colours)
    layout, data = Layout(caps), memoryview(buffer.extract_dup(0, buffer.get_size()))
    return PlanarFrame(layout, lambda: layout.planes(buffer, data), 7, Converted())


def run(size: tuple[int, int], colours: str, after: str) -> tuple[NDArray[np.uint8], str]:
    """Return what a stage sees of the patches, and the caps in which they come to it."""
    Gst.init(None)
    register()
    caps, buffer = i420(size, colours)
    pipeline = Gst.parse_launch(f"appsrc name=in format=time ! {after} ! fakesink name=end")
    pipeline.get_by_name("in").set_property("caps", caps)
    pipeline.set_state(Gst.State.PLAYING)
    try:
        pipeline.get_by_name("in").emit("push-buffer", buffer)
        pipeline.get_by_name("in").emit("end-of-stream")
        ended = pipeline.get_bus().timed_pop_filtered(
            60 * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR
        )
        assert ended is not None
        assert ended.type == Gst.MessageType.EOS, ended.parse_error()
        came = pipeline.get_by_name("end").get_static_pad("sink").get_current_caps()
    finally:
        pipeline.set_state(Gst.State.NULL)
    return recorded_stages.seen[0][1], came.to_string()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("colours", ["2:4:0:0", "1:4:0:0", "2:3:0:0", "1:6:0:0"])
def test_a_stage_sees_what_it_sees_of_rgb(size: tuple[int, int], colours: str) -> None:
    plain, came = run(size, colours, f"mirrgb ! {OFFERED} ! {RECORD}")
    assert "format=(string)RGB" in came
    planar, came = run(size, colours, f"mirrgb planes=true ! {OFFERED} ! {RECORD}")
    assert came.startswith("video/x-raw(mirante:Planes)")
    assert np.array_equal(planar, plain)
    assert np.abs(patches_of(planar) - PATCHES).max() <= 2


@pytest.mark.parametrize(
    "between", ["videoflip method=none", f"mirblackout zones={CORNER}", "identity"]
)
def test_what_takes_no_planes_gets_rgb(between: str) -> None:
    seen, came = run((64, 16), "2:4:0:0", f"mirrgb planes=true ! {OFFERED} ! {between} ! {RECORD}")
    assert ("Planes" in came) == (between == "identity")
    assert np.abs(patches_of(seen) - PATCHES).max() <= 2


def test_nobody_behind_mirrgb_gets_planes_unasked() -> None:
    assert "format=(string)RGB" in run((64, 16), "2:4:0:0", f"mirrgb ! {RECORD}")[1]


@pytest.mark.parametrize("size", [(640, 160), (656, 171)])
@pytest.mark.parametrize("colours", ["2:4:0:0", "1:3:0:0"])
@pytest.mark.parametrize("scaled", [(416, 113), (415, 96), (333, 331), (1280, 200)])
def test_scaled_planes_have_the_colours_of_scaled_pixels(
    size: tuple[int, int], colours: str, scaled: tuple[int, int]
) -> None:
    frame = frame_of(size, colours)
    room = np.empty((scaled[1], scaled[0], 3), np.uint8)
    found = frame.scaled(scaled, room)
    assert found.shape == room.shape
    assert np.abs(patches_of(found) - PATCHES).max() <= 2
    assert np.abs(patches_of(found) - patches_of(frame.pixels)).max() <= 2


def test_luma_stays_where_scaling_pixels_puts_it() -> None:
    """A ramp of grey has no chroma: both ways are one."""
    caps = Gst.Caps.from_string("video/x-raw,format=I420,width=64,height=48,colorimetry=2:4:0:0")
    luma = np.add.outer(np.arange(48), 2 * np.arange(64)).astype(np.uint8) + 20
    data = memoryview(luma.tobytes() + bytes([128]) * (2 * 24 * 32))
    layout = Layout(caps)
    frame = PlanarFrame(layout, lambda: layout.planes(Gst.Buffer(), data), 7, Converted())
    spec = Input(name="x", size=(41, 41))
    tensors = [
        Preprocessor(spec, np.dtype(np.float32)).frame(image)[0] for image in (frame, frame.pixels)
    ]
    assert np.abs(tensors[0] - tensors[1]).max() <= 2


def test_elements_share_pixels_and_no_frame_gets_those_of_another() -> None:
    made: list[int] = []

    def make(level: int) -> Any:
        made.append(level)
        return np.full((1, 1, 3), level, np.uint8)

    converted = Converted()
    for key in (1, 1, 2, 1):
        assert converted.of(key, partial(make, key))[0, 0, 0] == key
    assert made == [1, 2, 1]
    converted.forget()
    assert converted.of(1, lambda: make(9))[0, 0, 0] == 9


def test_frames_without_a_time_have_pixels_of_their_own() -> None:
    """As those of images without a rate, in a plain launch line: no number tells them apart."""
    Gst.init(None)
    register()
    caps = "video/x-raw,format=I420,width=64,height=32,framerate=0/1"
    pipeline = Gst.parse_launch(
        f"appsrc name=in caps={caps} ! mirrgb planes=true ! {RECORD} "
        "! mirpublish camera=gate redis=redis://127.0.0.1:1"
    )
    levels = [40, 120, 220]
    pipeline.set_state(Gst.State.PLAYING)
    try:
        for level in levels:
            data = bytes([level]) * (64 * 32) + bytes([128]) * (64 * 16)
            pipeline.get_by_name("in").emit("push-buffer", Gst.Buffer.new_wrapped(data))
        pipeline.get_by_name("in").emit("end-of-stream")
        ended = pipeline.get_bus().timed_pop_filtered(
            60 * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR
        )
        assert ended is not None
        assert ended.type == Gst.MessageType.EOS, ended.parse_error()
    finally:
        pipeline.set_state(Gst.State.NULL)
    means = [pixels.mean() for _, pixels, _ in recorded_stages.seen]
    assert means == pytest.approx([(level - 16) * 255 / 219 for level in levels], abs=1)


def test_pixels_are_made_once_and_may_not_be_written_to() -> None:
    frame = frame_of((64, 16), "2:4:0:0")
    assert frame.size == (64, 16)
    assert image_of(frame) is frame
    assert frame.pixels is frame.pixels
    with pytest.raises(ValueError, match="read-only"):
        frame.pixels[:] = 1

"""Parts of decoded video are those of the image as shown, right to the pixel."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from gi.repository import Gst
from numpy.typing import NDArray

from plugins.blackout.zones import Zone
from plugins.closeup.closeup import Closeup
from plugins.closeup.parts import Parts
from plugins.colour.thermal import Window
from plugins.elements import register
from plugins.frame import Area
from plugins.shown import Shown
from tests.support.images_out import image_of

FORMATS = (
    *("I420", "YV12", "NV12", "NV21", "Y42B", "Y444", "YUY2", "UYVY", "AYUV"),
    *("I420_10LE", "I422_10LE", "P010_10LE", "I420_12LE"),
    *("GRAY8", "GRAY16_LE", "RGB", "BGR", "BGRx", "RGBA"),
)
PARTS: list[Area] = [
    (0, 0, 66, 38),
    (0, 0, 16, 8),
    (3, 5, 31, 22),
    (40, 20, 66, 38),
    (65, 37, 66, 38),
]


def shown(
    format_: str, colours: str = "2:3:0:0", options: str = "", size: tuple[int, int] = (66, 38)
) -> tuple[NDArray[np.uint8], Any, Any]:
    """Return a random image as ``mirrgb`` makes it, the element that kept it, and the pipeline."""
    Gst.init(None)
    register()
    width, height = size
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 4), np.uint8)
    pipeline = Gst.parse_launch(
        f"appsrc name=in caps=video/x-raw,format=RGBA,width={width},height={height},framerate=10/1 "
        f"! videoconvert ! capsfilter caps=video/x-raw,format={format_}"
        f"{f',colorimetry={colours}' if colours else ''} "
        f"! mircloseup name=kept {options} ! mirrgb {options} ! appsink name=out sync=false"
    )
    pipeline.set_state(Gst.State.PLAYING)
    pipeline.get_by_name("in").emit("push-buffer", Gst.Buffer.new_wrapped(noise.tobytes()))
    sample = pipeline.get_by_name("out").emit("try-pull-sample", 60 * Gst.SECOND)
    assert sample is not None, pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR)
    return image_of(sample), pipeline.get_by_name("kept"), pipeline


@pytest.mark.parametrize("format_", FORMATS)
def test_a_part_is_as_that_of_the_whole_image(format_: str) -> None:
    is_yuv = not format_.startswith(("GRAY", "RGB", "BGR"))
    whole, kept, pipeline = shown(format_, "2:3:0:0" if is_yuv else "")
    try:
        assert np.ptp(whole) > 100
        for left, top, right, bottom in PARTS:
            part = kept.line.closeup.crop((left, top, right, bottom))
            off = np.abs(part.astype(int) - whole[top:bottom, left:right]).max()
            # GStreamer, which brings it to planes for ``mirrgb``, dithers P010
            assert off <= (4 if format_ == "P010_10LE" else 2), (left, top, right, bottom)
    finally:
        pipeline.set_state(Gst.State.NULL)
    assert kept.line.closeup is None, "a decoder may have few buffers"


@pytest.mark.parametrize(
    ("format_", "planes"),
    [
        ("I420", [(15, 23), (8, 12), (8, 12)]),
        ("NV12", [(15, 23), (8, 24)]),
        ("GRAY8", [(15, 23)]),
        ("BGR", [(15, 69)]),
    ],
)
def test_rows_may_be_packed(format_: str, planes: list[tuple[int, int]]) -> None:
    """As AVI and Matroska hold them; each row is as bright as its number says."""
    Gst.init(None)
    register()
    levels = np.linspace(40, 200, 15, dtype=np.uint8)
    rows = [np.full(shape, 128, np.uint8) for shape in planes]
    rows[0][:] = levels[:, None]
    data = b"".join(plane.tobytes() for plane in rows)
    caps = f"video/x-raw,format={format_},width=23,height=15,framerate=10/1"
    pipeline = Gst.parse_launch(
        f"appsrc name=in caps={caps} ! mirgate name=gate ! mircloseup name=kept ! mirrgb "
        "! appsink name=out sync=false"
    )
    pipeline.set_state(Gst.State.PLAYING)
    try:
        pipeline.get_by_name("in").emit("push-buffer", Gst.Buffer.new_wrapped(data))
        sample = pipeline.get_by_name("out").emit("try-pull-sample", 60 * Gst.SECOND)
        assert sample is not None, pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR)
        closeup = pipeline.get_by_name("kept").line.closeup
        part = closeup.crop((3, 2, 22, 15))
        assert np.abs(part.astype(int) - image_of(sample)[2:, 3:22]).max() <= 2
        with closeup.buffer.map(Gst.MapFlags.READ) as mapped:
            seen = pipeline.get_by_name("gate")._luma.of(closeup.buffer, mapped.data)
            assert (seen.reshape(15, -1) == levels[:, None]).all()
    finally:
        pipeline.set_state(Gst.State.NULL)


def test_colours_that_a_stream_does_not_name_are_those_of_mirrgb() -> None:
    for colours in ("", "1:4:0:0"):
        whole, kept, pipeline = shown("I420", colours, size=(1280, 720))
        try:
            part = kept.line.closeup.crop((100, 100, 400, 300))
            assert np.abs(part.astype(int) - whole[100:300, 100:400]).max() <= 2
        finally:
            pipeline.set_state(Gst.State.NULL)


@pytest.mark.parametrize("window", ["auto", "20000,40000"])
def test_what_is_shown_of_16_bit_grey_is_that_of_the_whole_frame(window: str) -> None:
    whole, kept, pipeline = shown("GRAY16_LE", "", f"thermal-range={window}", (264, 152))
    try:
        part = kept.line.closeup.crop((8, 8, 60, 40))
        assert np.abs(part.astype(int) - whole[8:40, 8:60]).max() <= 1
    finally:
        pipeline.set_state(Gst.State.NULL)


@pytest.mark.parametrize("size", [(48, 32), (47, 31)])
@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_parts_of_turned_images_are_where_they_are_shown(
    mirrored: bool, quarters: int, size: tuple[int, int]
) -> None:
    random = np.random.default_rng(3)
    decoded = random.integers(0, 256, (size[1], size[0], 3), np.uint8)
    view = Shown([])
    view.turn(mirrored, quarters, (0.0, 0.0, 1.0, 1.0))
    image = view.shown(decoded)
    height, width = image.shape[:2]
    for _ in range(50):
        left, top = int(random.integers(0, width)), int(random.integers(0, height))
        right = int(random.integers(left + 1, width + 1))
        bottom = int(random.integers(top + 1, height + 1))
        a, b, c, d = view.decoded((left, top, right, bottom), size)
        assert np.array_equal(view.shown(decoded[b:d, a:c]), image[top:bottom, left:right])


def test_what_is_painted_black_is_so_in_parts_of_a_cut_image() -> None:
    zones: list[Zone] = [[[0.5, 0.5], [0.75, 0.5], [0.75, 0.75], [0.5, 0.75]]]
    _, kept, pipeline = shown("Y444", options="")
    try:
        closeup = kept.line.closeup
        view = Shown(zones)
        # the frames show the right half of the whole image, which is 132 pixels wide
        view.turn(False, 0, (0.5, 0.0, 1.0, 1.0))
        painted = Closeup(closeup.buffer, closeup.parts, view)
        part = painted.crop((0, 10, 60, 38))
        plain = closeup.crop((0, 10, 60, 38))
        black = part.max(axis=2) == 0
        inside = np.zeros(black.shape, np.bool_)
        inside[19 - 10 : 28 - 10, :33] = True
        assert black[inside].all()
        changed = np.abs(part.astype(int) - plain).sum(axis=2) > 0
        assert not changed[:6].any()
        assert not changed[:, 36:].any()
    finally:
        pipeline.set_state(Gst.State.NULL)


def test_areas_are_read_and_wrong_ones_refused() -> None:
    register()
    element = Gst.ElementFactory.make("mircloseup")
    element.set_property("zones", json.dumps([[[0, 0], [1, 0]]]))
    assert element.set_state(Gst.State.PAUSED) == Gst.StateChangeReturn.FAILURE
    element.set_state(Gst.State.NULL)


def test_a_format_that_cannot_be_read_in_parts_is_named() -> None:
    caps = Gst.Caps.from_string("video/x-raw,format=v210,width=48,height=32,framerate=10/1")
    parts = Parts(caps, Window.of_text(""))
    assert not parts.is_readable
    with pytest.raises(ValueError, match="parts of v210 video cannot be read; expected a format"):
        Closeup(Gst.Buffer.new(), parts, Shown([])).crop((0, 0, 8, 8))

"""``mirrgb``: known patches, whatever raw video they come in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gi.repository import Gst
from numpy.typing import NDArray

from plugins.colour.matrix import yuv_to_rgb
from plugins.colour.thermal import Window
from plugins.elements import register
from plugins.mirrgb import whole_colorimetry
from tests.support.images_out import image_of
from tests.support.patches import PATCHES, WEIGHTS, patches_of, yuv

BITS = {
    **dict.fromkeys(("I420", "YV12", "NV12", "Y42B", "YUY2", "UYVY", "Y444"), 8),
    **dict.fromkeys(("I420_10LE", "I422_10LE", "Y444_10LE", "P010_10LE"), 10),
    "I420_12LE": 12,
}
RECORD = "mirstage python=tests.support.recorded_stages:Record"
NUMBERS = {"bt709": 3, "bt601": 4, "bt2020": 6}  # GstVideoColorMatrix


def converted(image: bytes, caps: str, after: str = "mirrgb") -> NDArray[np.uint8]:
    """(height, width, 3) RGB of an image of raw video."""
    Gst.init(None)
    register()
    source_text = f"appsrc name=in caps={caps},framerate=10/1"
    pipeline = Gst.parse_launch(f"{source_text} ! {after} ! appsink name=out sync=false")
    pipeline.set_state(Gst.State.PLAYING)
    try:
        pipeline.get_by_name("in").emit("push-buffer", Gst.Buffer.new_wrapped(image))
        sample = pipeline.get_by_name("out").emit("try-pull-sample", 60 * Gst.SECOND)
        assert sample is not None, pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR)
        return image_of(sample)
    finally:
        pipeline.set_state(Gst.State.NULL)


def planar(weights: str, full: bool, bits: int = 8) -> bytes:
    """Y444 of the patches, 64 by 16."""
    values = (yuv(PATCHES, weights, full) * 2 ** (bits - 8)).round()
    rows = np.repeat(values.T.astype("u1" if bits == 8 else "<u2"), 8, 1)
    return np.repeat(rows[:, None], 16, 1).tobytes()


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("format_", BITS)
def test_patches_are_true(format_: str, weights: str, full: bool) -> None:
    """GStreamer makes the other formats of Y444 of the same depth, without changing a colour."""
    bits = BITS[format_]
    colours = f"{1 if full else 2}:{NUMBERS[weights]}:0:0"
    deep = {8: "Y444", 10: "Y444_10LE", 12: "Y444_12LE"}[bits]
    rgb = converted(
        planar(weights, full, bits),
        f"video/x-raw,format={deep},width=64,height=16,colorimetry={colours}",
        f"videoconvert ! video/x-raw,format={format_},colorimetry={colours} ! mirrgb",
    )
    assert np.abs(patches_of(rgb) - PATCHES).max() <= 2


@pytest.mark.parametrize(
    ("said", "size", "meant"),
    [
        ("", (640, 360), "2:4:0:0"),
        ("", (1920, 1080), "2:4:0:0"),
        ("1:0:0:0", (640, 360), "1:4:0:0"),
        ("1:0:0:0", (1920, 1080), "1:4:0:0"),
        ("0:3:5:1", (640, 360), "2:3:0:0"),
        ("2:0:0:0", (640, 360), "2:4:0:0"),
        ("2:1:0:0", (640, 360), "2:4:0:0"),  # the matrix of RGB, on YUV
        ("bt601", (1920, 1080), "2:4:0:0"),
        ("1:4:0:0", (1920, 1080), "1:4:0:0"),
        ("bt2020-10", (320, 180), "2:6:0:0"),
        ("bt2100-pq", (320, 180), "2:6:0:0"),
        ("nonsense", (640, 360), "2:4:0:0"),
    ],
)
def test_what_is_not_said_is_completed(said: str, size: tuple[int, int], meant: str) -> None:
    shape = f"video/x-raw,format=I420,width={size[0]},height={size[1]}"
    caps = Gst.Caps.from_string(f"{shape},colorimetry={said}" if said else shape)
    assert whole_colorimetry(caps) == meant


@pytest.mark.parametrize(("format_", "meant"), [("GRAY8", "1:4:0:0"), ("RGB", ""), ("BGRx", "")])
def test_grey_is_full_and_rgb_has_no_matrix(format_: str, meant: str) -> None:
    caps = Gst.Caps.from_string(f"video/x-raw,format={format_},width=64,height=64")
    assert whole_colorimetry(caps) == meant


@pytest.mark.parametrize("size", [(64, 15), (48, 27), (24, 1)])
@pytest.mark.parametrize("format_", ["I420", "Y42B", "Y444"])
def test_the_last_row_and_column_of_odd_sizes(format_: str, size: tuple[int, int]) -> None:
    """videoconvert writes the planes, so no padding is guessed here."""
    width, height = size
    grey = np.full((height, -(-width // 4) * 4), 90, np.uint8)
    rgb = converted(
        grey.tobytes(),
        f"video/x-raw,format=GRAY8,width={width - 1},height={height}",
        f"videoconvert ! video/x-raw,format={format_},colorimetry=1:4:0:0 ! mirrgb",
    )
    assert rgb.shape == (height, width - 1, 3)
    assert np.abs(rgb.astype(int) - 90).max() <= 1


@pytest.mark.parametrize("scaled", ["", " ! video/x-raw,width=20,height=14"])
@pytest.mark.parametrize(
    ("format_", "planes"),
    [
        ("I420", [(15, 23), (8, 12), (8, 12)]),
        ("Y42B", [(15, 23), (15, 12), (15, 12)]),
        ("NV12", [(15, 23), (8, 24)]),
        ("GRAY8", [(15, 23)]),
        ("BGR", [(15, 69)]),
        ("RGB", [(15, 69)]),
        ("YUY2", [(15, 48)]),
    ],
)
def test_rows_may_be_packed(format_: str, planes: list[tuple[int, int]], scaled: str) -> None:
    """Each row is as bright as its number says; in the chroma of YUY2 too, where 128 is none."""
    rows = [np.full((height, width), 128, np.uint8) for height, width in planes]
    rows[0][:, :: 2 if format_ == "YUY2" else 1] = np.linspace(40, 200, 15, dtype=np.uint8)[:, None]
    rgb = converted(
        b"".join(plane.tobytes() for plane in rows),
        f"video/x-raw,format={format_},width=23,height=15,colorimetry=1:4:0:0",
        f"mirrgb{scaled}",
    )
    assert np.ptp(rgb.astype(int), axis=(1, 2)).max() <= 1, "rows are straight, and grey"
    assert np.abs(rgb[[0, -1], 0, 0].astype(int) - (40, 200)).max() <= (8 if scaled else 1)


def test_a_frame_of_no_size_that_fits_costs_no_other() -> None:
    Gst.init(None)
    register()
    caps = "video/x-raw,format=I420,width=23,height=15,framerate=10/1"
    pipeline = Gst.parse_launch(
        f"appsrc name=in caps={caps} ! mirrgb ! appsink name=out sync=false"
    )
    pipeline.set_state(Gst.State.PLAYING)
    try:
        for size in (400, 537):
            pipeline.get_by_name("in").emit("push-buffer", Gst.Buffer.new_wrapped(bytes(size)))
        assert pipeline.get_by_name("out").emit("try-pull-sample", 60 * Gst.SECOND) is not None
        warning = pipeline.get_bus().pop_filtered(Gst.MessageType.WARNING).parse_warning()[0]
        assert warning.message == "mirrgb: a frame of 400 bytes; expected 576 for I420 23x15"
    finally:
        pipeline.set_state(Gst.State.NULL)


@pytest.mark.parametrize("size", [(130, 74), (74, 130), (136, 77), (97, 55)])
def test_scaling_to_a_rounded_size_adds_no_black_row(size: tuple[int, int]) -> None:
    width, height = size
    grey = np.full((height, -(-width // 4) * 4), 90, np.uint8)
    rgb = converted(
        grey.tobytes(),
        f"video/x-raw,format=GRAY8,width={width},height={height}",
        "mirrgb ! video/x-raw,width=[1,64],height=[1,64],pixel-aspect-ratio=1/1",
    )
    assert max(rgb.shape[:2]) == 64
    assert np.array_equal(np.unique(rgb), [90])


def test_colours_may_change_in_the_stream() -> None:
    """As a camera's do whose settings are changed: caps come again, and are completed again."""
    image = planar("bt601", True)
    Gst.init(None)
    register()
    first = "video/x-raw,format=Y444,width=64,height=16,framerate=10/1"
    pipeline = Gst.parse_launch(
        f"appsrc name=in caps={first} ! mirrgb ! appsink name=out sync=false"
    )
    source, sink = pipeline.get_by_name("in"), pipeline.get_by_name("out")
    pipeline.set_state(Gst.State.PLAYING)
    errors = []
    for colours in ("", ",colorimetry=1:0:0:0"):
        source.set_property("caps", Gst.Caps.from_string(first + colours))
        source.emit("push-buffer", Gst.Buffer.new_wrapped(image))
        rgb = image_of(sink.emit("try-pull-sample", 60 * Gst.SECOND))
        errors.append(int(np.abs(patches_of(rgb) - PATCHES).max()))
    pipeline.set_state(Gst.State.NULL)
    assert errors[0] > 10
    assert errors[1] <= 2


@pytest.mark.parametrize("order", ["LE", "BE"])
@pytest.mark.parametrize(
    ("window", "levels"),
    [
        ("", [3, 4, 6, 8]),
        ("1000,2000", [0, 0, 128, 255]),
        ("auto", [0, 85, 170, 255]),
    ],
)
def test_sixteen_bits_of_grey(order: str, window: str, levels: list[int]) -> None:
    counts = np.repeat([700, 1100, 1500, 1900] if window == "auto" else [800, 1000, 1500, 2000], 8)
    image = np.tile(counts, (8, 1)).astype(">u2" if order == "BE" else "<u2")
    rgb = converted(
        image.tobytes(),
        f"video/x-raw,format=GRAY16_{order},width=32,height=8",
        f"mirrgb thermal-range={window}" if window else "mirrgb",
    )
    assert np.array_equal(rgb[-1, 4::8], np.repeat(np.array(levels)[:, None], 3, 1))


def test_a_window_that_follows_neither_jumps_nor_shows_the_noise_of_a_wall() -> None:
    window = Window.of_text("auto")
    wall = np.full((16, 16), 3000, np.uint16)
    wall[::2] += 6
    assert int(np.ptp(window.shown(wall))) < 30
    hot = wall.copy()
    hot[:, :8] = 9000
    first = window.shown(hot)
    later = [window.shown(hot) for _ in range(60)][-1]
    assert first[0, 0] == later[0, 0] == 255
    assert later[0, 15] <= 2 < first[0, 15]


@pytest.mark.parametrize("text", ["5", "9,5", "5,5", "1,70000", "low,high", "-1,5", "auto,auto"])
def test_a_window_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f'thermal-range: "{text}"; expected auto, or LOW,HIGH'):
        Window.of_text(text)


def test_a_refused_window_ends_the_line_with_words(launch: Any) -> None:
    line = f"videotestsrc num-buffers=2 ! mirrgb thermal-range=5 ! {RECORD} ! fakesink"
    assert str(launch(line).error).startswith('mirrgb: ValueError: thermal-range: "5"; expected ')


def test_grey_of_limited_range_is_stretched() -> None:
    image = np.repeat(np.array([0, 16, 126, 235], np.uint8), 8)
    rgb = converted(
        np.tile(image, (8, 1)).tobytes(),
        "video/x-raw,format=GRAY8,width=32,height=8,colorimetry=2:4:0:0",
    )
    assert rgb[0, 4::8, 0].tolist() == [0, 0, 128, 255]


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("full", [False, True])
def test_the_matrix_is_the_inverse_of_the_standard(weights: str, full: bool) -> None:
    matrix = yuv_to_rgb(*WEIGHTS[weights], full)
    values = yuv(PATCHES, weights, full)
    back = values @ matrix[:, :3].T + matrix[:, 3]
    assert np.abs(back - PATCHES).max() < 1e-6

"""The image as shown, pixel by pixel, where a camera's stages begin."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import gi
import numpy as np
import pytest
from numpy.typing import NDArray

gi.require_version("Gst", "1.0")
from gi.repository import Gst

import pipeline.gst.view as gst_view
from pipeline.cameras.graph import camera_graph
from pipeline.cameras.view import Turn
from pipeline.config.camera import Camera
from pipeline.gst.probes import FrameProbes
from pipeline.gst.view import Seen, follow_view
from plugins.bindings import structure_of
from plugins.blackout.zones import Blackout
from plugins.element import elements_of, give_line
from plugins.elements import register
from plugins.ledger import Ledger
from plugins.line import Line

Image = NDArray[np.uint8]
register()

TAGS = {
    f"{flip}rotate-{90 * quarters}": Turn(quarters, bool(flip))
    for flip, quarters in product(("", "flip-"), range(4))
}
LEFT_TOP = [[0, 0], [0.5, 0], [0.5, 0.5], [0, 0.5]]


def noise(width: int, height: int) -> Image:
    return np.random.default_rng(width).integers(40, 255, (height, width, 3)).astype(np.uint8)


def turned(image: Image, turn: Turn) -> Image:
    return np.rot90(image[:, ::-1] if turn.mirrored else image, -turn.quarters)


def caps_of(image: Image, more: str = "") -> str:
    height, width = image.shape[:2]
    return f"video/x-raw,format=RGB,width={width},height={height},framerate=0/1{more}"


@dataclass
class Graph:
    """A camera's graph whose frames are pushed here, and taken out where its stages begin."""

    spec: Camera
    more: str = ""  # caps
    ledger: Ledger = field(default_factory=lambda: Ledger("viewed"))
    pushed: int = 0

    def __post_init__(self) -> None:
        stages = "appsink name=out sync=false"
        text = camera_graph("viewed", self.spec, stages)
        self.pipeline = Gst.parse_launch(re.sub(r"caps=video/x-raw,format=\S+", "", text))
        give_line(self.pipeline, Line(self.ledger))
        FrameProbes(self.ledger, seen=Seen(self.spec)).install(self.pipeline)
        follow_view(self.pipeline, self.spec)
        self.source = self.pipeline.get_by_name("source")
        self.out = self.pipeline.get_by_name("out")
        self.pipeline.set_state(Gst.State.PLAYING)

    def tag(self, text: str) -> None:
        if not self.pushed:  # a stream begins before it is tagged
            self.show(noise(48, 48))
        tags = Gst.TagList.new_empty()
        tags.add_value(Gst.TagMergeMode.REPLACE, Gst.TAG_IMAGE_ORIENTATION, text)
        self.source.get_static_pad("src").push_event(Gst.Event.new_tag(tags))

    def push(self, image: Image, flags: int = 0, packed: bool = False) -> None:
        height, width = image.shape[:2]
        rows = np.pad(image.reshape(height, -1), ((0, 0), (0, 0 if packed else -width * 3 % 4)))
        self.source.set_property("caps", Gst.Caps.from_string(caps_of(image, self.more)))
        buffer = Gst.Buffer.new_wrapped(rows.tobytes())
        buffer.pts = self.pushed * Gst.SECOND // 25
        buffer.set_flags(Gst.BufferFlags(flags))
        self.pushed += 1
        self.source.emit("push-buffer", buffer)

    def show(self, image: Image, flags: int = 0, packed: bool = False) -> Image:
        """Push an image and return what the stages get; checks its size and its account."""
        self.push(image, flags, packed)
        sample = self.out.emit("try-pull-sample", 60 * Gst.SECOND)
        assert sample is not None, self.fault()
        shape, buffer = structure_of(sample.get_caps()), sample.get_buffer()
        width, height = shape.get_value("width"), shape.get_value("height")
        result = self.ledger.get(buffer.pts)
        assert result is not None, "the frame has lost its number"
        assert result.seq == self.pushed - 1
        self.size = result.width, result.height
        with buffer.map(Gst.MapFlags.READ) as mapped:
            rows = np.frombuffer(mapped.data, np.uint8).reshape(height, -1)
            return rows[:, : width * 3].reshape(height, width, 3).copy()

    def fault(self, timeout_s: int = 0) -> str:
        wait_ns = timeout_s * Gst.SECOND
        message = self.pipeline.get_bus().timed_pop_filtered(wait_ns, Gst.MessageType.ERROR)
        return "" if message is None else str(message.parse_error()[0].message)

    @property
    def elements(self) -> list[str]:
        return sorted(each.get_factory().get_name() for each in elements_of(self.pipeline))


@contextmanager
def graph(more: str = "", **options: Any) -> Iterator[Graph]:
    made = Graph(Camera(url="test://", **options), more)
    try:
        yield made
    finally:
        made.pipeline.set_state(Gst.State.NULL)


def test_a_stream_that_asks_for_nothing_gets_no_element() -> None:
    with graph() as made:
        before, image = made.elements, noise(33, 21)
        made.tag("rotate-0")
        assert np.array_equal(made.show(image), image)
        made.tag("rotate-45")  # damaged
        assert np.array_equal(made.show(image), image)
        assert made.elements == before
        assert "videoflip" not in before


@pytest.mark.parametrize(("rotate", "mirror"), [(0, False), (90, False), (270, True)])
def test_tags_turn_the_frames_behind_them(rotate: int, mirror: bool) -> None:
    own = Turn(rotate // 90).then(Turn(mirrored=mirror))
    with graph(rotate=rotate, mirror=mirror) as made:
        for tag, turn in {"": Turn(), **TAGS, "upside-down": Turn()}.items():
            if tag:
                made.tag(tag)
            for image in (noise(33, 21), noise(40, 64)):
                wanted = turned(image, turn.then(own))
                assert np.array_equal(made.show(image), wanted), tag
                assert made.size == wanted.shape[1::-1]


def test_the_analysis_size_is_that_of_the_image_as_shown() -> None:
    with graph(width=32, height=50, crop=[0, 0.5, 1, 1]) as made:
        made.tag("rotate-90")
        half = made.show(noise(200, 100))
        assert (half.shape, made.size) == ((32, 32, 3), (100, 100))
    with graph(width=100, height=32) as made:
        made.tag("rotate-270")
        assert made.show(noise(200, 100)).shape == (32, 16, 3)


@pytest.mark.parametrize("tag", ["rotate-0", "rotate-90", "flip-rotate-270"])
def test_crop_and_areas_are_of_the_image_as_shown(tag: str) -> None:
    image = noise(61, 43)
    shown = turned(image, TAGS[tag])
    height, width = shown.shape[:2]
    left, top, right = ((16, 4, 55), (10, 6, 39))[width < height]
    with graph(crop=[0.25, 0.1, 0.9, 1], mask=[LEFT_TOP]) as made:
        made.tag(tag)
        got = made.show(image)
    wanted = shown.copy()
    inside = wanted[: -(-height // 2), : -(-width // 2)]
    inside[:] = 0
    wanted = wanted[top:, left:right]
    assert made.size == wanted.shape[1::-1]
    assert got.shape == wanted.shape
    differs = np.argwhere((got != wanted).any(axis=2))
    # A rim of a pixel or two is black too, and nothing else is other than it was.
    assert not got[tuple(differs.T)].any()
    assert (differs < (height // 2 - top + 3, width // 2 - left + 3)).all()


@pytest.mark.parametrize("options", [{"crop": [0, 0, 0.5, 1]}, {"deinterlace": "on"}, {}])
def test_rows_may_be_packed_where_the_image_is_cut(options: dict[str, Any]) -> None:
    """As AVI and Matroska hold them, of a width that GStreamer pads."""
    image = noise(33, 21)
    with graph(**options) as made:
        got = made.show(image, packed=True)
    with graph(**options) as made:
        assert np.array_equal(got, made.show(image))


def test_a_crop_follows_the_size_of_the_stream() -> None:
    with graph(crop=[0.4, 0.4, 0.6, 0.6]) as made:
        for width, height in ((400, 200), (40, 30), (41, 131), (400, 400)):
            image = noise(width, height)
            left, top = (round(0.2 * side) * 2 for side in (width, height))
            wanted = image[top : height - top, left : width - left]
            assert np.array_equal(made.show(image), wanted), image.shape
            assert made.size == wanted.shape[1::-1]


@pytest.mark.parametrize("format_", ["P010_10LE", "NV12", "Y210", "GRAY16_LE"])
def test_formats_that_the_cropper_does_not_know_are_cut_too(format_: str) -> None:
    text = camera_graph("viewed", Camera(url="test://", crop=[0, 0, 0.5, 1]), "appsink name=out")
    drawn = f"videotestsrc num-buffers=1 ! video/x-raw,format={format_},width=64,height=48"
    pipeline = Gst.parse_launch(re.sub(r"appsrc .*?caps=\S+", drawn, text))
    follow_view(pipeline, Camera(url="test://", crop=[0, 0, 0.5, 1]))
    pipeline.set_state(Gst.State.PLAYING)
    sample = pipeline.get_by_name("out").emit("try-pull-sample", 60 * Gst.SECOND)
    pipeline.set_state(Gst.State.NULL)
    assert sample is not None
    shape = structure_of(sample.get_caps())
    assert (shape.get_value("width"), shape.get_value("height")) == (32, 48)


INTERLACED, UPPER_FIRST = 1 << 20, 1 << 21  # as GstVideo.VideoBufferFlags has them


@pytest.mark.parametrize(
    ("more", "flags", "deinterlace", "is_combed"),
    [
        (",interlace-mode=interleaved", 0, "auto", False),
        (",interlace-mode=interleaved", UPPER_FIRST, "auto", False),
        (",interlace-mode=interleaved", 0, "off", True),
        (",interlace-mode=mixed", INTERLACED, "auto", False),
        (",interlace-mode=mixed", INTERLACED | UPPER_FIRST, "on", False),
        (",interlace-mode=mixed", 0, "auto", True),
        ("", 0, "auto", True),
        ("", 0, "on", False),
    ],
)
def test_interlaced_frames_become_their_upper_field(
    more: str, flags: int, deinterlace: str, is_combed: bool
) -> None:
    image = np.repeat(np.arange(20, 240, 5, dtype=np.uint8)[:, None, None], 64, 1).repeat(3, 2)
    combed = image.copy()
    combed[1::2] = 255 - combed[1::2]
    with graph(more, rotate=90, deinterlace=deinterlace) as made:
        for _ in range(3):  # each at once and with its number
            got = np.rot90(made.show(combed, flags))
            assert np.array_equal(got[::2], combed[::2])
            assert np.array_equal(got, combed) == is_combed
            if not is_combed:
                assert np.abs(got[1:-1].astype(int) - image[1:-1]).max() <= 5


def test_a_frame_that_cannot_be_painted_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise MemoryError("no paint")

    monkeypatch.setattr(Blackout, "apply", broken)
    with graph(mask=[LEFT_TOP]) as made:
        made.push(noise(32, 32))
        until_s = time.monotonic() + 60
        while not made.ledger.counts()[0].failed:
            assert time.monotonic() < until_s, made.fault()
            time.sleep(0.01)
        assert made.out.emit("try-pull-sample", Gst.SECOND // 2) is None
        assert made.ledger.counts()[0].failed == 1


def test_a_graph_that_cannot_be_set_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no such element")

    monkeypatch.setattr(gst_view, "_ensure", broken)
    with graph(mask=[LEFT_TOP]) as made:
        made.tag("rotate-90")
        for _ in range(2):
            made.push(noise(32, 32))
        assert "cannot be shown as asked for: RuntimeError: no such element" in made.fault(60)
        assert made.out.emit("try-pull-sample", Gst.SECOND // 2) is None

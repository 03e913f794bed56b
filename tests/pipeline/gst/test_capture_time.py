"""The time at which frames were taken: order and offset, with B frames and clocks that jump."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from typing import Any

import gi
import pytest

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from mirante.frame import TsSource
from pipeline.gst.capture_time import CaptureTime
from pipeline.gst.clips import read_clip
from tests.support import ROOT
from tests.support.rtsp_manners import Manners, MannersServer
from tests.support.watched import Watched

NTP = Gst.Caps.from_string("timestamp/x-ntp")
NTP_TO_UNIX_NS = 2_208_988_800 * 10**9
MS, S = 10**6, 10**9
# Frames 0 to 23 of the synthetic camera, 10 fps, key frames at 0 and 12, by x264 and x265.
CLIPS = ROOT / "tests/support/numbers"
FPS, PERIOD = 10, 24
DELIMITERS = {"h264": b"\x09\xf0", "h265": b"\x46\x01\x50"}
STREAMS = [
    *((f"numbers_b{b}.{codec}", b"") for codec in DELIMITERS for b in (0, 1, 3)),
    *((f"numbers_b3.{codec}", delimiter) for codec, delimiter in DELIMITERS.items()),
]
Rows = list[
    tuple[int | None, TsSource, float]
]  # number, ts_source, frames since the first was taken


@pytest.fixture(scope="module")
def rows() -> Iterator[dict[tuple[str, bytes], Rows]]:
    """All streams at once."""
    found = {}
    with ExitStack() as stack:
        running = {}
        for name, delimiter in STREAMS:
            manners = Manners(read_clip(CLIPS / f"{name}.mp4"), delimiter=delimiter)
            server = stack.enter_context(MannersServer(manners))
            label = f"{name}-{len(delimiter)}"
            running[name, delimiter] = server, stack.enter_context(Watched(label, server.url()))
        for key, (server, camera) in running.items():
            camera.seen.wait_until(
                lambda frames: sum(r.ts_source == "rtcp" for _, r, _ in frames) > PERIOD + 4
            )
            found[key] = [
                (n, r.ts_source, (r.captured_ns / 1e9 - server.began_s) * FPS)
                for n, r, _ in camera.seen.frames
            ]
    yield found


@pytest.mark.rtsp
@pytest.mark.parametrize("stream", STREAMS, ids=lambda s: f"{s[0]}{'-parts' if s[1] else ''}")
def test_order_and_offset_are_the_cameras_own(
    stream: tuple[str, bytes], rows: dict[tuple[str, bytes], Rows]
) -> None:
    came = rows[stream]
    assert all(b[2] >= a[2] for a, b in pairwise(came)), came
    by_camera = [(number, at) for number, source, at in came if source == "rtcp"]
    for number, at in by_camera:
        assert number is not None
        assert (at - number + 1) % PERIOD == pytest.approx(1, abs=0.02), (number, at, came)
    last = [source for _, source, _ in came[-PERIOD:]]
    assert set(last) == {"rtcp"}, came  # key frames too


class Camera:
    """The decoded frames of a camera whose clock is off by ``off_ns``."""

    def __init__(self) -> None:
        self.times = CaptureTime()
        self.off_ns = 0
        self._pts = 0
        self._began_ns = time.time_ns()

    def frames(self, count: int, interval_ns: int = 100 * MS) -> list[tuple[int, TsSource]]:
        """Milliseconds since the first, by this machine, and source of each."""
        said = []
        for _ in range(count):
            buffer = Gst.Buffer.new()
            buffer.pts = self._pts
            clock_ns = self._began_ns + self._pts + self.off_ns
            buffer.add_reference_timestamp_meta(NTP, clock_ns + NTP_TO_UNIX_NS, Gst.CLOCK_TIME_NONE)
            at_ns, source, _ = self.times.captured(buffer, buffer.pts, paced=False)
            said.append(((at_ns - self._began_ns) // MS, source))
            self._pts += interval_ns
        return said


@pytest.mark.parametrize("back_s", [0.35, 2, 5])
def test_a_clock_set_back_holds_the_time_until_it_has_caught_up(back_s: float) -> None:
    camera = Camera()
    assert camera.frames(3) == [(0, "rtcp"), (100, "rtcp"), (200, "rtcp")]
    camera.off_ns = int(-back_s * S)
    said = camera.frames(int(2 * back_s * 10) + 5)
    assert all(after >= before for (before, _), (after, _) in pairwise([(200, "rtcp"), *said]))
    held = [ms for ms, source in said if source == "arrival"]
    assert 2 * back_s * 10 - 2 <= len(held) <= 2 * back_s * 10 + 2  # at half speed
    assert said[-1] == (300 + (len(said) - 1) * 100 - int(back_s * 1000), "rtcp")
    assert ("back" in camera.times.remarks) is (back_s > 0.5)


def test_a_clock_set_forward_is_followed_at_once() -> None:
    camera = Camera()
    camera.frames(2)
    before_s = camera.times.clock_off_s
    camera.off_ns = 4 * S
    assert camera.frames(1) == [(4200, "rtcp")]
    assert before_s is not None
    assert camera.times.clock_off_s is not None
    assert camera.times.clock_off_s - before_s > 3


def test_a_clock_that_was_never_set_is_named_by_its_date() -> None:
    camera = Camera()
    camera.off_ns = -camera._began_ns - NTP_TO_UNIX_NS + 12 * S
    (_, source), *_ = camera.frames(1)
    assert source == "arrival"
    assert camera.times.remarks["odd"] == (
        "the camera's clock says 1900-01-01 00:00:12 UTC; the time of arrival is used instead"
    )


def test_the_time_does_not_go_back_when_the_cameras_clock_takes_over() -> None:
    times = CaptureTime()
    buffer = Gst.Buffer.new()
    buffer.pts = 0
    first_ns, source, _ = times.captured(buffer, buffer.pts, paced=False)
    assert source == "arrival"
    later = Gst.Buffer.new()
    later.pts = 40 * MS
    later.add_reference_timestamp_meta(
        NTP, first_ns - 100 * MS + NTP_TO_UNIX_NS, Gst.CLOCK_TIME_NONE
    )
    assert times.captured(later, later.pts, paced=False).at_ns >= first_ns


def test_a_time_that_was_moved_for_the_decoder_changes_nothing() -> None:
    times = CaptureTime()
    buffer = Gst.Buffer.new()
    buffer.pts = 3 * S
    times.arrived(buffer, 1000 * S)
    buffer.pts += 20 * S
    assert times.captured(buffer, 3 * S, paced=False) == (1000 * S, "arrival", 1000 * S)


def test_an_image_that_is_decoded_long_after_it_came_has_the_cameras_time() -> None:
    times, came_ns = CaptureTime(), time.time_ns() - 15 * S
    buffer = Gst.Buffer.new()
    buffer.pts = 3 * S
    buffer.add_reference_timestamp_meta(
        NTP, came_ns - 200 * MS + NTP_TO_UNIX_NS, Gst.CLOCK_TIME_NONE
    )
    times.arrived(buffer, came_ns)
    captured = times.captured(buffer, 3 * S, paced=False)
    assert captured == (came_ns - 200 * MS, "rtcp", None)
    assert not times.remarks


def image(pts: int, is_told: bool = True) -> Any:
    """Return an encoded image of a camera whose clock is 1000 s ahead of its PTS."""
    buffer = Gst.Buffer.new()
    buffer.pts = pts
    if is_told:
        buffer.add_reference_timestamp_meta(NTP, 1000 * S + pts, Gst.CLOCK_TIME_NONE)
    return buffer


def told_ns(buffer: Any) -> int | None:
    meta = buffer.get_reference_timestamp_meta(NTP)
    return None if meta is None else meta.timestamp


def came(times: CaptureTime, pts: int, keeps: bool, is_key: bool = False) -> int | None:
    """Have the packets of an image come, which are looked at where they need be, and the image."""
    if times.needs_packets:
        times.packet(image(pts))
    return told_ns(times.timed(image(pts, keeps), is_key))


def test_packets_are_not_looked_at_where_key_frames_alone_lose_their_time() -> None:
    times, looks = CaptureTime(), 0
    for number in range(500):
        looks += times.needs_packets
        pts, is_key = number * 40 * MS, number % 50 == 0
        assert came(times, pts, not is_key, is_key) == 1000 * S + pts
    assert 0 < looks < 150


@pytest.mark.parametrize(
    ("step", "keeps"),
    [
        ((40, 40), lambda number: False),  # as of JPEG
        ((40, 40), lambda number: number % 4 > 1),  # of more than one slice now and then
        ((120, -40), lambda number: number % 50 > 0),  # with B frames
        ((1200, 1200), lambda number: number % 50 > 0),
    ],
)
def test_packets_are_looked_at_where_pts_do_not_tell_the_time(
    step: tuple[int, int], keeps: Any
) -> None:
    times, pts = CaptureTime(), 10 * S
    for number in range(300):
        pts += step[number % 2] * MS
        assert came(times, pts, keeps(number), number % 50 == 0) == 1000 * S + pts
        assert times.needs_packets


def test_packets_are_looked_at_again_behind_a_key_frame_where_images_lose_their_time() -> None:
    times = CaptureTime()
    told = [came(times, n * 40 * MS, n < 210, n % 50 == 0) for n in range(300)]
    assert times.needs_packets
    lost = [number for number, at in enumerate(told) if at is None]
    assert lost == [*range(210, 251)]


def test_images_that_are_decoded_late_say_nothing_of_how_they_come() -> None:
    times = CaptureTime()
    for number in range(200):
        came(times, number * 40 * MS, keeps=True)
    times.arrived(image(180 * 40 * MS), time.time_ns())
    assert not times.needs_packets


def test_before_the_camera_tells_its_time_no_image_has_one() -> None:
    times = CaptureTime()
    for number in range(200):
        assert told_ns(times.timed(image(number * 40 * MS, is_told=False))) is None
    assert times.needs_packets

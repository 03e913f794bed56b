"""The probes on buffers as broken cameras send them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import gi
import pytest

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from pipeline.cameras.synthetic import picture
from pipeline.gst import capture_time
from pipeline.gst.probes import FrameProbes
from plugins.element import give_line
from plugins.ledger import Ledger
from plugins.line import Line
from tests.support.number_sink import SEEN, Seen

MS = 1_000_000
CAPS = "video/x-raw,format=RGB,width=320,height=180,framerate=0/1"
NTP = Gst.Caps.from_string("timestamp/x-ntp")
NTP_TO_UNIX_NS = 2_208_988_800 * 10**9


class Graph:
    """appsrc → "decoder" → queue → sink, with the probes of a camera."""

    def __init__(self) -> None:
        self.seen = SEEN["probed"] = Seen()
        self.ledger = Ledger("probed")
        self.pipeline = Gst.parse_launch(
            f"pipeline.( name=probed appsrc name=source format=time caps={CAPS} "
            "! identity name=decode ! queue name=newest ! numbersink )"
        )
        give_line(self.pipeline, Line(self.ledger))
        self.probes = FrameProbes(self.ledger)
        self.probes.install(self.pipeline)
        self.pipeline.set_state(Gst.State.PLAYING)

    def push(self, number: int, pts_ns: int | None, camera_ns: int | None = None) -> None:
        buffer = Gst.Buffer.new_wrapped(picture(number, 320, 180).tobytes())
        if pts_ns is not None:
            buffer.pts = pts_ns
        if camera_ns is not None:
            buffer.add_reference_timestamp_meta(
                NTP, camera_ns + NTP_TO_UNIX_NS, Gst.CLOCK_TIME_NONE
            )
        so_far = len(self.seen.frames)
        self.pipeline.get_by_name("source").emit("push-buffer", buffer)
        self.seen.wait(so_far + 1)

    @property
    def last(self) -> Any:
        return self.seen.frames[-1][1]


@pytest.fixture
def graph() -> Iterator[Graph]:
    made = Graph()
    yield made
    made.pipeline.set_state(Gst.State.NULL)


def test_every_frame_gets_a_number_and_the_size_of_the_source(graph: Graph) -> None:
    before_ns = time.time_ns()
    for n in range(3):
        graph.push(n, n * 40 * MS)
    results = [result for _, result, _ in graph.seen.frames]
    assert [result.seq for result in results] == [0, 1, 2]
    assert {(result.width, result.height) for result in results} == {(320, 180)}
    assert before_ns <= results[0].captured_ns <= results[1].captured_ns <= time.time_ns()
    assert list(results[0].timings) == ["video_decode", "queue", "convert"]


@pytest.mark.parametrize("pts_ms", [[0, 40, 40, 40, 80], [0, None, None, None, None]])
def test_frames_without_a_time_of_their_own_are_kept_apart(
    graph: Graph, pts_ms: list[int | None]
) -> None:
    for n, pts in enumerate(pts_ms):
        graph.push(n, None if pts is None else pts * MS)
    assert graph.seen.numbers == [0, 1, 2, 3, 4]
    assert not graph.seen.errors
    counts, pending = graph.ledger.counts()
    assert (counts.published, pending) == (5, 0)


def test_the_cameras_own_clock_is_used_and_carried_on(graph: Graph) -> None:
    taken_ns = time.time_ns() - 200 * MS
    graph.push(1, 40 * MS, taken_ns)
    assert (graph.last.ts_source, graph.last.captured_ns) == ("rtcp", taken_ns)
    graph.push(2, 80 * MS)
    assert (graph.last.ts_source, graph.last.captured_ns) == ("rtcp", taken_ns + 40 * MS)
    graph.push(3, 60_000 * MS)
    assert graph.last.ts_source == "arrival"


def test_packets_are_looked_at_while_that_is_of_use(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture_time, "_SURE", 2)
    began_ns, looked = time.time_ns(), list[int]()
    monkeypatch.setattr(graph.probes.times, "packet", lambda buffer: looked.append(buffer.pts))
    graph.probes.watch_packets(graph.pipeline.get_by_name("decode"))
    for number in range(10):
        is_told = number not in {6, 7}
        pts = number * 40 * MS
        graph.push(number, pts, began_ns + pts if is_told else None)
    # What comes to the decoder stands for packets here, and is looked at after the image.
    assert [pts // (40 * MS) for pts in looked] == [0, 1, 2, 7, 8]


@pytest.mark.parametrize(
    ("off_s", "believed"), [(-5, True), (9, True), (-11, False), (3600, False)]
)
def test_a_clock_that_is_far_off_is_not_believed(graph: Graph, off_s: int, believed: bool) -> None:
    graph.push(0, 0, time.time_ns() + off_s * 10**9)
    assert graph.last.ts_source == ("rtcp" if believed else "arrival")
    assert ("odd" not in graph.probes.times.remarks) is believed
    if not believed:
        assert abs(graph.last.captured_ns - time.time_ns()) < 10 * 10**9


def test_a_probe_that_breaks_is_logged_once_and_lets_frames_pass(
    graph: Graph, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr(graph.ledger, "taken", broken)
    for n in range(3):
        graph.push(n, n * 40 * MS)
    assert caplog.text.count("a probe failed") == 1

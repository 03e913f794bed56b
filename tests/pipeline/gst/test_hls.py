"""HTTP Live Streaming: live and recorded, MPEG-TS and MP4, with and without variants."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import gi
import pytest

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from pipeline.cameras.state import State
from pipeline.cameras.synthetic import picture
from tests.support.http_camera import HttpCamera, Request, http_camera
from tests.support.watched import Watched

pytestmark = pytest.mark.slow

FPS, GOP, SEGMENTS = 10, 5, 8
SECONDS = GOP / FPS
TYPE = "application/vnd.apple.mpegurl"


def _encode(folder: Path, width: int, muxer: str) -> None:
    """Segments s000… of half a second each, with numbered frames."""
    height = width * 9 // 16
    pipeline = Gst.parse_launch(
        f"appsrc name=source format=time caps=video/x-raw,format=RGB,width={width},"
        f"height={height},framerate={FPS}/1 ! videoconvert ! openh264enc gop-size={GOP} "
        f"complexity=low ! h264parse ! {muxer}"
    )
    source = pipeline.get_by_name("source")
    for n in range(GOP * SEGMENTS):
        buffer = Gst.Buffer.new_wrapped(picture(n, width, height).tobytes())
        buffer.pts, buffer.duration = n * Gst.SECOND // FPS, Gst.SECOND // FPS
        source.emit("push-buffer", buffer)
    source.emit("end-of-stream")
    pipeline.set_state(Gst.State.PLAYING)
    kinds = Gst.MessageType.EOS | Gst.MessageType.ERROR
    message = pipeline.get_bus().timed_pop_filtered(60 * Gst.SECOND, kinds)
    pipeline.set_state(Gst.State.NULL)
    assert message.type == Gst.MessageType.EOS
    assert folder.exists()


@pytest.fixture(scope="module")
def segments(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """/w160/s000.ts … and /w320/…, and a fragmented MP4 of the latter."""
    files = {}
    for width in (160, 320):
        folder = tmp_path_factory.mktemp(f"w{width}")
        location = f"location={folder}/s%03d.ts"
        _encode(folder, width, f"splitmuxsink muxer=mpegtsmux {location} max-size-time=400000000")
        for path in sorted(folder.iterdir()):
            files[f"/w{width}/{path.name}"] = path.read_bytes()
    folder = tmp_path_factory.mktemp("mp4")
    duration = int(SECONDS * 1000)
    _encode(folder, 320, f"mp4mux fragment-duration={duration} ! filesink location={folder}/a.mp4")
    files["/mp4/a.mp4"] = (folder / "a.mp4").read_bytes()
    return files


@pytest.fixture
def camera(segments: dict[str, bytes]) -> Iterator[HttpCamera]:
    with http_camera() as server:
        server.files = dict(segments)
        yield server


def playlist(
    numbers: range, folder: str = "", end: bool = True, cuts: tuple[int, ...] = ()
) -> bytes:
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", f"#EXT-X-MEDIA-SEQUENCE:{numbers.start}"]
    for n in numbers:
        lines += ["#EXT-X-DISCONTINUITY"] if n in cuts else []
        lines += [f"#EXTINF:{SECONDS},", f"{folder}s{n % SEGMENTS:03}.ts"]
    return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if end else [])]).encode()


def test_a_recording_is_played_to_its_end(camera: HttpCamera) -> None:
    camera.files["/w320/all.m3u8"] = playlist(range(SEGMENTS))
    with Watched("vod", camera.url("/w320/all.m3u8"), pace="every_frame") as watched:
        _, reason = watched.wait(State.STOPPED)
    assert reason == "end of file"
    assert watched.seen.numbers == list(range(GOP * SEGMENTS))


def test_a_loop_has_no_gap(camera: HttpCamera) -> None:
    camera.manners["/live"] = lambda r: r.answer(
        200, playlist(range(2), "w320/"), Content_Type=TYPE
    )
    url = camera.url("/live", "hls+")
    with Watched("turns", url, pace="every_frame", loop=True) as watched:
        watched.seen.wait(25)
    numbers = watched.seen.numbers
    assert numbers == [n % (2 * GOP) for n in range(len(numbers))]
    assert [result.seq for _, result, _ in watched.seen.frames] == list(range(len(numbers)))
    assert watched.states == [State.CONNECTING, State.RUNNING, State.STOPPED]


@pytest.mark.parametrize(("width", "taken"), [(160, "w160"), (300, "w320"), (640, "w320")])
def test_the_smallest_variant_that_is_large_enough_is_taken(
    width: int, taken: str, camera: HttpCamera
) -> None:
    for folder in ("w160", "w320"):
        camera.files[f"/{folder}/a.m3u8"] = playlist(range(1))
    camera.files["/all.m3u8"] = (
        b'#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x",URI="sound.m3u8"\n'
        b'#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=320x180,CODECS="avc1.42c00d,mp4a.40.2"\n'
        b"w320/a.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=100000,RESOLUTION=160x90\nw160/a.m3u8\n"
    )
    url = camera.url("/all.m3u8")
    with Watched("chosen", url, pace="every_frame", width=width, height=width) as watched:
        watched.wait(State.STOPPED)
    assert camera.paths() == ["/all.m3u8", f"/{taken}/a.m3u8", f"/{taken}/s000.ts"]
    assert len(watched.seen.frames) == GOP


def test_fragmented_mp4_by_ranges(camera: HttpCamera) -> None:
    body = camera.files["/mp4/a.mp4"]
    starts = [found.start() - 4 for found in re.finditer(b"moof", body)]
    ends = [*starts[1:], len(body)]
    lines = [
        "#EXTM3U",
        "#EXT-X-TARGETDURATION:1",
        f'#EXT-X-MAP:URI="a.mp4",BYTERANGE="{starts[0]}@0"',
    ]
    for n, (start, end) in enumerate(zip(starts, ends, strict=True)):
        lines += [
            "#EXTINF:0.5,",
            f"#EXT-X-BYTERANGE:{end - start}" + (f"@{start}" if n == 0 else ""),
        ]
        lines += ["a.mp4"]
    camera.files["/mp4/all.m3u8"] = "\n".join([*lines, "#EXT-X-ENDLIST"]).encode()
    with Watched("ranges", camera.url("/mp4/all.m3u8"), pace="every_frame") as watched:
        watched.wait(State.STOPPED)
    assert watched.seen.numbers == list(range(GOP * SEGMENTS))


def test_cookies_and_logins_go_where_they_belong(camera: HttpCamera) -> None:
    """A server that redirects to set a cookie, and segments that lie at another host."""
    basic = "Basic dTpw"

    def guarded(request: Request) -> None:
        path, fields = request.path, request.headers
        if fields.get("Authorization") != basic:
            request.answer(401, WWW_Authenticate='Basic realm="x"')
        elif path == "/in":
            request.answer(302, Location="/all.m3u8?check=1", Set_Cookie="session=1; Path=/")
        else:
            assert fields["Cookie"] == "session=1"
            request.answer(200, playlist(range(2), f"{elsewhere}/w320/"))

    with http_camera() as other:
        other.files = camera.files
        elsewhere = other.url("").replace("127.0.0.1", "localhost")
        camera.manners |= {"/in": guarded, "/all.m3u8": guarded}
        with Watched("in", camera.url("/in", "hls+", "u:p@"), pace="every_frame") as watched:
            watched.wait(State.STOPPED)
    assert len(watched.seen.frames) == 2 * GOP
    assert [path for path, _ in camera.asked] == ["/in", "/in", "/all.m3u8?check=1"]
    assert all(not {"Authorization", "Cookie"} & set(fields) for _, fields in other.asked)


class Live:
    """A live playlist of four segments that goes on by one each ``SECONDS`` until it is frozen."""

    def __init__(self, cuts: tuple[int, ...] = ()) -> None:
        self.began_s = time.monotonic()
        self.cuts = cuts
        self.frozen_s: float | None = None
        self.is_ended = False
        self.told: list[int] = []  # the newest segment of each answer

    def newest(self) -> int:
        return int(((self.frozen_s or time.monotonic()) - self.began_s) / SECONDS) + 3

    def __call__(self, request: Request) -> None:
        newest = self.newest()
        if len(request.server.asked) == 1:
            request.answer(200, b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n")  # it has only just begun
            return
        self.told.append(newest)
        body = playlist(range(newest - 3, newest + 1), "w320/", self.is_ended, self.cuts)
        request.answer(200, body, Content_Type=TYPE)


def test_live_segments_are_played_at_their_pace(camera: HttpCamera) -> None:
    live = camera.manners["/live.m3u8"] = Live()
    with Watched("live", camera.url("/live.m3u8"), watchdog_s=20) as watched:
        watched.seen.wait(40)
    first = next(path for path in camera.paths() if path.endswith(".ts"))
    assert first == f"/w320/s{(live.told[0] - 1) % SEGMENTS:03}.ts"
    watched.check_account(GOP * SEGMENTS)
    assert watched.states == [State.CONNECTING, State.RUNNING, State.STOPPED]
    times_s = watched.seen.times_s
    assert times_s[39] - times_s[0] > 2.5, (
        "39 frames last 3.9 s, of which one segment may be at hand"
    )


def test_a_cut_goes_on_in_another_graph_without_a_loss(camera: HttpCamera) -> None:
    live = camera.manners["/live.m3u8"] = Live(cuts=(5,))
    live.began_s = time.monotonic()
    with Watched("cut", camera.url("/live.m3u8"), pace="every_frame") as watched:
        watched.seen.wait(30)
    first = watched.seen.read[0]
    assert watched.seen.read[:30] == [(first + n) % (GOP * SEGMENTS) for n in range(30)]
    assert watched.states == [State.CONNECTING, State.RUNNING, State.STOPPED]


def test_a_live_playlist_that_stands_still_has_stalled(camera: HttpCamera) -> None:
    live = camera.manners["/live.m3u8"] = Live()
    with Watched("frozen", camera.url("/live.m3u8"), watchdog_s=0.5) as watched:
        watched.seen.wait(10)
        live.frozen_s = time.monotonic()
        _, reason = watched.wait(State.STALLED)
        live.began_s, live.frozen_s = time.monotonic(), None
        watched.wait(State.RUNNING, after=3)
    assert "no frame for" in reason


def test_a_live_playlist_that_ends_may_come_back(camera: HttpCamera) -> None:
    live = camera.manners["/live.m3u8"] = Live()
    with Watched("back", camera.url("/live.m3u8")) as watched:
        watched.seen.wait(2)
        live.is_ended, live.frozen_s = True, time.monotonic()
        watched.wait_for(lambda change: change.attempt == 2)
        live.is_ended, live.frozen_s = False, None
        watched.wait(State.RUNNING, after=3)
    reasons = {change.reason for _, change in watched.changes if change.code is not None}
    assert reasons == {"the camera ended the stream"}


FAULTS = {
    "encrypted": (
        '#EXT-X-KEY:METHOD=AES-128,URI="key"\n#EXTINF:1,\na.ts\n#EXT-X-ENDLIST',
        "no decoder",
    ),
    "gone": (
        "#EXTINF:1,\na.ts\n#EXTINF:1,\nb.ts\n#EXTINF:1,\nc.ts\n#EXT-X-ENDLIST",
        "404 not found",
    ),
    "ended live": ("#EXT-X-MEDIA-SEQUENCE:7\n#EXTINF:1,\na.ts\n#EXT-X-ENDLIST", "ended the stream"),
}


@pytest.mark.parametrize("name", [*FAULTS, "page"])
def test_each_fault_has_its_words(name: str, camera: HttpCamera) -> None:
    text, words = FAULTS.get(name, ("", "the address gives a web page (HTML), not video"))
    camera.files["/a.m3u8"] = f"#EXTM3U\n{text}".encode() if text else b"<html>"
    with Watched("fault", camera.url("/a.m3u8")) as watched:
        _, change = watched.wait_for(lambda c: c.state in {State.FAILED, State.RECONNECTING})
    assert words in change.reason


def test_it_is_stopped_in_the_middle_of_an_answer(camera: HttpCamera) -> None:
    waiting = threading.Event()

    def hang(request: Request) -> None:
        waiting.set()
        request.server.stopping.wait()

    camera.manners["/a.m3u8"] = hang
    with Watched("hung", camera.url("/a.m3u8")) as watched:
        assert waiting.wait(60)
        began_s = time.monotonic()
        watched.runner.stop()
        assert time.monotonic() - began_s < 3
    assert watched.states[-1] == State.STOPPED

"""Recordings and endless streams over HTTP."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import gi
import pytest

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from pipeline.cameras.state import State
from tests.support import ROOT
from tests.support.http_camera import HttpCamera, Request, http_camera
from tests.support.watched import Watched

pytestmark = pytest.mark.slow

H265 = ROOT / "tests/support/numbers.h265.mp4"  # frames 0…19 of the synthetic camera, 10 fps


@pytest.fixture(scope="module")
def camera(clips: tuple[Path, Path]) -> Iterator[HttpCamera]:
    with http_camera() as server:
        server.files = {"/a.mp4": clips[0].read_bytes(), "/h265": H265.read_bytes()}
        body = server.files["/a.mp4"]
        server.manners["/rangeless.mp4"] = lambda request: request.answer(200, body)
        yield server


@pytest.fixture(scope="module")
def mpeg_ts(clips: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("ts") / "a.ts"
    pipeline = Gst.parse_launch(
        f"filesrc location={clips[0]} ! qtdemux ! h264parse config-interval=-1 ! mpegtsmux "
        f"! filesink location={path}"
    )
    pipeline.set_state(Gst.State.PLAYING)
    pipeline.get_bus().timed_pop_filtered(60 * Gst.SECOND, Gst.MessageType.EOS)
    pipeline.set_state(Gst.State.NULL)
    return path.read_bytes()


@pytest.mark.parametrize("path", ["/a.mp4", "/rangeless.mp4"])
def test_every_frame_once(path: str, camera: HttpCamera) -> None:
    with Watched("recording", camera.url(path), pace="every_frame") as watched:
        _, reason = watched.wait(State.STOPPED)
    assert reason == "end of file"
    assert watched.seen.numbers == list(range(80))


def test_a_loop_has_no_gap(camera: HttpCamera) -> None:
    url = camera.url("/h265", "file+")
    with Watched("turns", url, pace="every_frame", loop=True) as watched:
        watched.seen.wait(50)
    numbers = watched.seen.numbers
    assert numbers == [n % 20 for n in range(len(numbers))]
    assert [result.seq for _, result, _ in watched.seen.frames] == list(range(len(numbers)))
    assert watched.states == [State.CONNECTING, State.RUNNING, State.STOPPED]


def test_a_connection_that_breaks_is_taken_up_where_it_broke(camera: HttpCamera) -> None:
    body, asked = camera.files["/a.mp4"], []

    def once(request: Request) -> None:
        found = re.match(r"bytes=(\d+)-", request.headers.get("Range", ""))
        asked.append(int(found[1]) if found else 0)
        if len(asked) > 1:
            request.file(body)
            return
        request.send_response(200)
        request.send_header("Content-Length", str(len(body)))
        request.send_header("Accept-Ranges", "bytes")
        request.end_headers()
        request.wfile.write(body[: len(body) * 3 // 4])
        request.close_connection = True

    camera.manners["/broken.mp4"] = once
    with Watched("broken", camera.url("/broken.mp4"), pace="every_frame") as watched:
        _, reason = watched.wait(State.STOPPED)
    assert reason == "end of file"
    assert watched.seen.numbers == list(range(80))
    assert max(asked) > 0


def test_a_recording_that_is_not_there_is_told_of_in_words(camera: HttpCamera) -> None:
    with Watched("none", camera.url("/none.mkv")) as watched:
        _, reason = watched.wait(State.FAILED)
    assert reason == '404 not found: the camera has no path "/none.mkv"'


def test_a_playlist_is_no_recording(camera: HttpCamera) -> None:
    camera.files["/list"] = b"#EXTM3U\n#EXT-X-ENDLIST\n"
    with Watched("playlist", camera.url("/list", "file+")) as watched:
        _, reason = watched.wait(State.FAILED)
    assert reason == "the address gives a playlist (HLS), not a stream"


@pytest.mark.parametrize("prefix", ["ts+", ""])
def test_an_endless_stream_is_live(prefix: str, camera: HttpCamera, mpeg_ts: bytes) -> None:
    """Also where the path ends like a recording, and no length is told."""
    half = len(mpeg_ts) // 2 // 188 * 188

    def send(request: Request) -> None:
        blocks = (mpeg_ts[at : at + 1880] for at in range(0, half, 1880))
        request.stream(blocks, 80, Content_Type="video/mp2t")

    camera.manners["/live.ts"] = send
    with Watched("endless", camera.url("/live.ts", prefix)) as watched:
        watched.seen.wait(3)
        _, reason = watched.wait(State.RECONNECTING)
    assert reason == "the camera ended the stream"
    numbers = watched.seen.read[:3]
    assert numbers == sorted(numbers)

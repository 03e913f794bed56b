"""The built-in RTSP server as a command, clips of other codecs, and the code in docs/cameras.md."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import gi
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support import ROOT

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from pipeline.cameras.synthetic import picture
from pipeline.gst.clips import ClipError, encode_pictures, prepare_clip, quote, read_clip
from tests.support.printed import printed
from tests.support.watched import Watched

pytestmark = pytest.mark.rtsp


@pytest.fixture(scope="module")
def theora(clips: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The numbered clip as Theora in Ogg, which no camera sends."""
    path = tmp_path_factory.mktemp("ogg") / "numbers.ogg"
    pipeline = Gst.parse_launch(
        f"filesrc location={quote(clips[0])} ! decodebin ! videoconvert "
        f"! video/x-raw,format=I420 ! theoraenc ! oggmux ! filesink location={quote(path)}"
    )
    pipeline.set_state(Gst.State.PLAYING)
    ends = Gst.MessageType.EOS | Gst.MessageType.ERROR
    message = pipeline.get_bus().timed_pop_filtered(60 * Gst.SECOND, ends)
    pipeline.set_state(Gst.State.NULL)
    assert message is not None, "the clip was not written within 60 s"
    assert message.type == Gst.MessageType.EOS
    return path


@pytest.fixture
def server(clips: tuple[Path, Path], theora: Path, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The addresses that the command prints."""
    names = [f"h264={clips[0]}", f"theora={theora}"]
    command = [sys.executable, "-m", "pipeline.gst.rtsp_server", "--cache", str(tmp_path), *names]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            urls = [printed(process).strip() for _ in names]
            assert printed(process).startswith("ready on port ")
            yield {url.rpartition("/")[2]: url for url in urls}
        finally:
            process.kill()


def test_clips_are_served_in_order_at_their_own_pace(server: dict[str, str]) -> None:
    for name in ("h264", "theora"):
        with Watched(f"served-{name}", server[name]) as camera:
            camera.seen.wait(30)
        camera.check_account(80)
        times_s = camera.seen.times_s[5:]
        assert (times_s[-1] - times_s[0]) / (len(times_s) - 1) > 0.05  # 10 fps


def test_a_clip_that_can_be_sent_stays_as_it_is(clips: tuple[Path, Path], tmp_path: Path) -> None:
    assert prepare_clip(clips[0], tmp_path) == clips[0]
    assert not list(tmp_path.iterdir())


def test_another_codec_is_encoded_once(theora: Path, tmp_path: Path) -> None:
    made = prepare_clip(theora, tmp_path)
    written_ns = made.stat().st_mtime_ns
    assert prepare_clip(theora, tmp_path) == made
    assert made.stat().st_mtime_ns == written_ns
    assert [path.name for path in tmp_path.iterdir()] == [made.name]
    assert len(read_clip(made).pictures) == 80


def test_what_is_no_clip_is_refused(tmp_path: Path, theora: Path) -> None:
    with pytest.raises(ClipError, match="no such clip"):
        read_clip(tmp_path / "missing.mp4")
    with pytest.raises(ClipError, match="expected a clip of video/x-h264"):
        read_clip(theora)
    (tmp_path / "text.mp4").write_text("no video\n" * 100)
    with pytest.raises(ClipError):
        prepare_clip(tmp_path / "text.mp4", tmp_path)


@pytest.mark.parametrize("name", ["1080p30.h264", "1080p30.h265"])
def test_a_file_without_a_container_has_the_times_of_its_rate(name: str) -> None:
    clip = read_clip(ROOT / "benchmarks/gpu/clips" / name)
    assert [round(each.pts_ns * 30 / Gst.SECOND) for each in clip.pictures[1:]] == [*range(1, 30)]
    assert [each.key for each in clip.pictures] == [True] + [False] * 29
    assert clip.duration_ns == pytest.approx(Gst.SECOND, abs=30)


@pytest.mark.parametrize(
    ("width", "height"), [pytest.param(640, 360, marks=pytest.mark.full), (334, 190)]
)
def test_an_encoded_clip_is_faithful(
    width: int, height: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pictures = [picture(n, width, height) for n in range(60)]
    encode_pictures(pictures, 10, tmp_path / "clip.mp4")
    assert capfd.readouterr() == ("", "")
    off = []  # pixels of each image that are quite another colour
    for shown, drawn in zip(decoded(tmp_path / "clip.mp4"), pictures, strict=True):
        off.append(int((np.abs(shown - drawn.astype(int)).max(axis=2) > 60).sum()))
    assert off[0] < 0.002 * width * height
    assert max(off) < 1.2 * off[0], "what has moved on still stands where it was"


def decoded(clip: Path) -> Iterator[NDArray[np.int64]]:
    video = cv2.VideoCapture(str(clip))
    while (read := video.read())[0]:
        yield read[1][:, :, ::-1].astype(int)
    video.release()


def test_the_code_in_the_docs_runs() -> None:
    text = (ROOT / "docs" / "cameras.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "docs/cameras.md", "exec"), {})

"""File cameras: every frame exactly once, or at the clip's own pace; once, or looped."""

from __future__ import annotations

import io
import os
import time
import wave
from pathlib import Path

import gi
import pytest

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from mirante.faults import FaultCode
from pipeline.cameras import state as camera_state
from pipeline.cameras.state import State
from pipeline.gst import session
from tests.support import ROOT, SHARED
from tests.support.watched import Watched

pytestmark = pytest.mark.slow

H265 = ROOT / "tests/support/numbers.h265.mp4"  # frames 0…19 of the synthetic camera, 10 fps
CLIPS = Path(os.environ.get("MIRANTE_MODEL_MIRROR", SHARED / "models")).parent.joinpath("clips")
SLOW = "identity sleep-time=150000 ! numbersink"  # a stage that takes longer than a frame lasts


def test_every_frame_once(clips: tuple[Path, Path]) -> None:
    with Watched("once", f"file:{clips[0]}", pace="every_frame") as camera:
        _, reason = camera.wait(State.STOPPED)
    assert camera.runner.finished
    assert reason == "end of file"
    assert camera.seen.numbers == list(range(80))
    counts, pending = camera.ledger.counts()
    assert (counts.decoded, counts.published, pending) == (80, 80, 0)
    assert not any(counts.dropped.values())


def test_a_loop_has_no_gap_and_every_frame_a_key_of_its_own() -> None:
    with Watched("loop", f"file:{H265}", pace="every_frame", loop=True) as camera:
        camera.seen.wait(70)
    numbers = camera.seen.numbers
    assert numbers == [n % 20 for n in range(len(numbers))]
    assert [result.seq for _, result, _ in camera.seen.frames] == list(range(len(numbers)))
    counts, _ = camera.ledger.counts()
    assert counts.dropped.get("duplicate_pts", 0) == 0
    assert camera.states == [State.CONNECTING, State.RUNNING, State.STOPPED]


def test_slow_stages_do_not_lose_a_frame_when_every_one_is_wanted() -> None:
    with Watched("slow", f"file:{H265}", SLOW, pace="every_frame") as camera:
        camera.wait(State.STOPPED)
    assert camera.seen.numbers == list(range(20))


def test_slow_stages_get_the_newest_frame_in_real_time() -> None:
    started_s = time.monotonic()
    with Watched("paced", f"file:{H265}", SLOW) as camera:
        camera.wait(State.STOPPED)
    assert time.monotonic() - started_s >= 1.9  # 20 frames at 10 fps
    counts, pending = camera.ledger.counts()
    assert (counts.decoded, pending) == (20, 0)
    assert counts.dropped["queue"] >= 2
    assert counts.balanced
    numbers = camera.seen.numbers
    assert numbers == sorted(set(numbers), key=lambda n: n or 0)


def test_frames_behind_the_last_admitted_one_count_as_rate() -> None:
    with Watched("end", f"file:{H265}", pace="every_frame", fps=1) as camera:
        camera.wait(State.STOPPED)
    counts, pending = camera.ledger.counts()
    assert camera.seen.numbers == [0, 10]
    assert (counts.decoded, counts.dropped["rate"], pending) == (20, 18, 0)


def test_key_frames_of_a_file() -> None:
    with Watched("keyed", f"file:{H265}", pace="every_frame", keyframes_only=True) as camera:
        camera.wait(State.STOPPED)
    assert camera.seen.numbers == [0]


@pytest.mark.skipif(not (CLIPS / "bikes.mp4").exists(), reason="no clips beside the repository")
def test_a_real_clip_is_counted_to_the_last_frame() -> None:
    with Watched("bikes", f"file:{CLIPS / 'bikes.mp4'}", pace="every_frame") as camera:
        camera.wait(State.STOPPED, timeout_s=120)
    counts, pending = camera.ledger.counts()
    assert (counts.decoded, counts.published, pending) == (250, 250, 0)


def _sound() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(16000))
    return file.getvalue()


WORDS = {
    "missing.mp4": (None, "no such file"),
    "text.mp4": (b"this is no video at all\n" * 100, "not a readable video"),
    "empty.mp4": (b"", "not a readable video"),
    "sound.wav": (_sound(), "not a readable video: it has no video"),
}


@pytest.mark.parametrize("name", WORDS)
def test_a_file_that_is_no_video_says_so(name: str, tmp_path: Path) -> None:
    content, words = WORDS[name]
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with Watched(name, f"file:{tmp_path / name}") as camera:
        _, reason = camera.wait(State.FAILED)
    assert words in reason


def test_a_directory_says_so(tmp_path: Path) -> None:
    with Watched("directory", f"file:{tmp_path}") as camera:
        _, reason = camera.wait(State.FAILED)
    assert reason == f"{tmp_path} is a directory"


@pytest.fixture(scope="module")
def indexed(clips: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip with its index in front, so that a part of it can be played."""
    path = tmp_path_factory.mktemp("indexed") / "indexed.mp4"
    pipeline = Gst.parse_launch(
        f"filesrc location={clips[0]} ! qtdemux ! h264parse ! mp4mux faststart=true "
        f"! filesink location={path}"
    )
    pipeline.set_state(Gst.State.PLAYING)
    pipeline.get_bus().timed_pop_filtered(Gst.CLOCK_TIME_NONE, Gst.MessageType.EOS)
    pipeline.set_state(Gst.State.NULL)
    return path


def cut(path: Path, target: Path, share: float) -> Path:
    content = path.read_bytes()
    target.write_bytes(content[: int(len(content) * share)])
    return target


def test_a_cut_file_says_so_at_its_end(indexed: Path, tmp_path: Path) -> None:
    path = cut(indexed, tmp_path / "cut.mp4", 0.6)
    with Watched("cut", f"file:{path}", pace="every_frame") as camera:
        _, change = camera.wait_for(lambda change: change.state == State.STOPPED)
    frames = len(camera.seen.frames)
    assert 20 < frames < 80
    assert change.code == FaultCode.FILE_CUT
    assert change.reason.startswith("end of a file that is cut: ")
    assert change.reason.endswith(f"bytes are missing; {frames} frames read")


def test_a_cut_file_is_repeated_as_far_as_it_goes(indexed: Path, tmp_path: Path) -> None:
    path = cut(indexed, tmp_path / "cut.mp4", 0.6)
    with Watched("cut-loop", f"file:{path}", pace="every_frame", loop=True) as camera:
        camera.seen.wait(200)
    told = [change.reason for _, change in camera.changes if "the file is cut" in change.reason]
    assert len(told) == 1


def test_a_recording_without_its_index_has_failed(clips: tuple[Path, Path], tmp_path: Path) -> None:
    path = cut(clips[0], tmp_path / "open.mp4", 0.8)
    with Watched("open", f"file:{path}") as camera:
        _, reason = camera.wait(State.FAILED)
    assert reason.startswith("not a readable video: its index (moov) is missing")
    assert State.RECONNECTING not in camera.states


def test_a_file_on_a_share_that_hangs_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera_state, "FILE_S", 0.5)
    monkeypatch.setattr(session, "TEARDOWN_S", 0.2)
    path = tmp_path / "hangs.mp4"
    os.mkfifo(path)  # to open it waits for somebody who writes
    with Watched("hangs", f"file:{path}") as camera:
        _, change = camera.wait_for(lambda change: change.state == State.STALLED)
        os.close(os.open(path, os.O_WRONLY))
        camera.wait(State.FAILED)
    assert change.code == FaultCode.FILE_STALLED
    assert change.reason.endswith("0 frames were read")

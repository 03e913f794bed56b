"""File cameras: every frame exactly once, or at the clip's own pace; once, or looped."""

from __future__ import annotations

import io
import os
import time
import wave
from pathlib import Path

import pytest

from pipeline.cameras.state import State
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


@pytest.mark.skipif(not (CLIPS / "highway.mp4").exists(), reason="no clips beside the repository")
def test_a_real_clip_is_counted_to_the_last_frame() -> None:
    with Watched("highway", f"file:{CLIPS / 'highway.mp4'}", pace="every_frame") as camera:
        camera.wait(State.STOPPED, timeout_s=120)
    counts, pending = camera.ledger.counts()
    assert (counts.decoded, counts.published, pending) == (905, 905, 0)


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

"""Clips of real cameras: what they show, and when."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.cameras.state import State
from pipeline.cameras.synthetic import read_number
from pipeline.control.clip_store import ClipStore
from pipeline.gst.clips import read_clip
from plugins.clips.mp4 import PlainVideo, VideoError
from plugins.clips.recorder import NoClipError, Recorder, Rule
from plugins.clips.ring import Packet, Stream
from plugins.clips.timeline import Timeline
from tests.support import ROOT
from tests.support.played import file_of, kept, played
from tests.support.rtsp_manners import Manners, MannersServer
from tests.support.watched import Watched

NUMBERS = ROOT / "tests/support/numbers"


@pytest.mark.rtsp
@pytest.mark.parametrize(
    "name",
    [
        "numbers_b0.h264.mp4",
        pytest.param("numbers_b3.h264.mp4", marks=pytest.mark.full),
        "numbers_b3.h265.mp4",
    ],
)
def test_each_frame_of_a_clip_is_shown_at_the_time_of_its_result(name: str, tmp_path: Path) -> None:
    store = ClipStore(tmp_path, 1 << 30, 1)
    recorder = Recorder("gate", Rule(1.0, 1.0, 60.0), store)
    with (
        MannersServer(Manners(read_clip(NUMBERS / name))) as server,
        Watched("gate", server.url(), clips=recorder) as camera,
    ):
        camera.wait(State.RUNNING)
        camera.seen.wait(30)
        asked_s = time.time()
        recorder.request(None, None)
        begun_s = time.time()
        clip = kept(store, "gate")
        results = {r.captured_ns / 1e9: n for n, r, _ in camera.seen.frames}
    assert clip.began <= begun_s - 1.0
    assert asked_s + 0.8 <= clip.ended <= begun_s + 1.5
    assert (clip.codec, clip.size) == (name.split(".")[1], (192, 96))
    frames = played(file_of(store, clip))
    assert len(frames) == clip.frames >= 20
    assert clip.began + frames[-1].pts_ns / 1e9 == pytest.approx(clip.ended, abs=0.002)
    shown = [(clip.began + f.pts_ns / 1e9, read_number(f.pixels)) for f in frames]
    numbers = [min(results, key=lambda each: abs(each - at_s)) for at_s, _ in shown]
    off_ms = [1e3 * abs(at_s - nearest) for (at_s, _), nearest in zip(shown, numbers, strict=True)]
    assert sorted(off_ms)[len(off_ms) * 3 // 4] < 2
    pairs = [(results[n], m, o) for n, (_, m), o in zip(numbers, shown, off_ms, strict=True)]
    assert all(known == number for known, number, off in pairs if off < 2), pairs


@pytest.mark.rtsp
def test_a_session_that_rests_decodes_key_frames_and_keeps_all_images(tmp_path: Path) -> None:
    recorder = Recorder("gate", Rule(9.0, 1.0, 60.0), ClipStore(tmp_path, 1 << 30, 1))
    with MannersServer(Manners(read_clip(NUMBERS / "numbers_b0.h264.mp4"))) as server:
        camera = Watched("gate", server.url(), clips=recorder)
        camera.line.is_resting = True
        with camera:
            camera.wait(State.RUNNING)
            camera.seen.wait(4)
            assert set(camera.seen.numbers) <= {0, 12}, "the key frames"
            packets, _ = recorder.ring.after(0)
            assert len(packets) > 2 * 12
            assert len({each.order for each in packets}) == len(packets)
            camera.line.is_resting = False
            camera.seen.wait(len(camera.seen.frames) + 14)
            assert list(dict.fromkeys(camera.states)) == [State.CONNECTING, State.RUNNING]
            counts, _ = camera.ledger.counts()
    # A busy machine drops images behind the decoder, so it is what was decoded that is looked at.
    seqs = [result.seq for _, result, _ in camera.seen.frames]
    ahead = [(number - seq) % 24 for number, seq in zip(camera.seen.read, seqs, strict=True)]
    first = ahead.index(ahead[-1])
    assert set(ahead[first:]) == {ahead[-1]}, "and then each image is decoded"
    decoded = [(ahead[-1] + seq) % 24 for seq in range(seqs[first - 1] + 1, seqs[first] + 1)]
    assert decoded[0] in {0, 12} or counts.dropped["queue"], "it goes on with a key frame"
    assert {0, 12} & set(decoded)


@pytest.mark.rtsp
def test_a_codec_that_mp4_has_not_is_encoded_again(server: Any, tmp_path: Path) -> None:
    store = ClipStore(tmp_path, 1 << 30, 1)
    recorder = Recorder("gate", Rule(1.0, 0.5, 60.0), store)
    with Watched("gate", server.url("mjpeg"), clips=recorder) as camera:
        camera.seen.wait(12)
        recorder.request(None, None)
        clip = kept(store, "gate")
    assert (clip.codec, clip.size, clip.is_shown) == ("h264", (320, 176), True)
    frames = played(file_of(store, clip))
    assert len(frames) == clip.frames >= 10
    numbers = [read_number(each.pixels) for each in frames]
    assert None not in numbers
    # The camera's image says when it was made, in Unix ms.
    made_ms = [int(clip.began * 1e3 + each.pts_ns / 1e6) % 2**32 for each in frames]
    off_ms = [at - number for at, number in zip(made_ms, numbers, strict=True) if number]
    middle = np.percentile(off_ms, [10, 90])  # a busy machine writes a single number late
    assert np.ptp(middle) < 500


@pytest.mark.rtsp
def test_raw_images_make_no_clip_and_it_is_said(tmp_path: Path) -> None:
    recorder = Recorder("gate", Rule(1.0, 1.0, 60.0), ClipStore(tmp_path, 1 << 30, 1))
    with Watched("gate", "test://?size=160x96&fps=10", clips=recorder) as camera:
        camera.seen.wait(2)
        with pytest.raises(NoClipError, match="the camera gives raw ones"):
            recorder.request(None, None)


def test_a_disk_that_fills_while_a_clip_is_written_is_told_as_such() -> None:
    clip = read_clip(NUMBERS / "numbers_b0.h264.mp4")
    video, line, stream = PlainVideo(Path("/dev/full"), clip.caps), Timeline(), Stream(clip.caps)
    with pytest.raises(VideoError) as raised:
        for one, _ in zip(clip.loop(), range(500), strict=False):
            packet = Packet(one.data, stream, one.key, (0, one.pts_ns), 10**18 + one.pts_ns)
            for placed in line.put(packet):
                video.write(placed)
        video.close()
    video.abort()
    assert raised.value.is_full, raised.value
    assert "space" in str(raised.value).lower()

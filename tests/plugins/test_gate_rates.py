"""How many frames a gate lets pass, and how many of them models look at, by what happens."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence

import gi
import pytest

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from mirante.frame import FrameResult
from plugins.gate.gate import ASKED, CHECK, LEARNING, MOTION, STILL, TRACKED
from tests.support.gated import FPS, KeptOutbox, run

TRACK = "mirtrack still-s=2 lost-s=1"


def spacings(frames: Sequence[FrameResult], begin_s: float, end_s: float) -> list[float]:
    """Return the seconds between the frames that are published of a time."""
    at = [frame.seq / FPS for frame in frames if begin_s <= frame.seq / FPS < end_s]
    return [round(later - each, 1) for each, later in itertools.pairwise(at)]


@pytest.mark.rtsp
@pytest.mark.usefixtures("launch")
def test_a_quiet_camera_has_a_rate_of_its_own_until_something_moves(infer: str) -> None:
    frames = run(f"{infer} ! {TRACK}", 20, 16, KeptOutbox(), gate_keys="quiet-fps=0.5")
    last = frames[-1].counts
    assert last.balanced
    assert last.published == len(frames)
    assert last.dropped == {"rate": last.decoded - len(frames), "queue": 0}
    assert set(spacings(frames, 3.1, 6)) == {0.1}, "it is busy from the first motion on"
    still = [frame for frame in frames if frame.skipped]
    assert still
    assert set(spacings(still, 11, 16)) == {2.0}
    came = next(frame for frame in frames if frame.seq / FPS >= 3 and frame.looked == MOTION)
    left = next(frame for frame in frames if frame.seq / FPS >= 16 and frame.looked == MOTION)
    assert came.seq / FPS == pytest.approx(3.1, abs=0.11)
    assert left.seq / FPS == pytest.approx(16.1, abs=0.11)
    ids = {
        int(each)
        for frame in frames
        if 8 <= frame.seq / FPS < 16.5 and frame.detections.track_id is not None
        for each in frame.detections.track_id
    }
    assert ids == {1}, "the time between two frames is no gap"


@pytest.mark.rtsp
@pytest.mark.usefixtures("launch")
def test_rates_by_need_without_a_gate_have_each_frame_looked_at(infer: str) -> None:
    keys = "quiet-fps=0.5 skips-still=false"
    frames = run(f"{infer} ! {TRACK}", 17, 99, KeptOutbox(), gate_keys=keys)
    assert not any(frame.skipped for frame in frames)
    assert all("infer" in frame.timings for frame in frames)
    assert set(spacings(frames, 11, 16)) == {2.0}
    assert {frame.looked for frame in frames if 11 <= frame.seq / FPS < 16} == {CHECK}
    assert frames[-1].counts.balanced


@pytest.mark.rtsp
@pytest.mark.usefixtures("launch")
def test_what_moved_between_two_frames_of_a_low_rate_is_looked_at_with_the_next(infer: str) -> None:
    keys = "quiet-fps=0.2 busy-fps=0.2"
    frames = run(infer, 21, 99, KeptOutbox(), gate_keys=keys)
    assert set(spacings(frames, 0, 21)) == {5.0}
    assert [(frame.seq // FPS, frame.looked or frame.skipped) for frame in frames[:2]] == [
        (0, LEARNING),
        (5, MOTION),
    ]
    assert STILL in {frame.skipped for frame in frames}


@pytest.mark.rtsp
@pytest.mark.usefixtures("launch")
def test_while_a_known_car_alone_moves_most_frames_need_no_model(infer: str) -> None:
    line = {"half": {"from": [0.3, 0], "to": [0.3, 1]}}
    stages = (
        f"{infer} ! {TRACK} ! mirzones rules={json.dumps(json.dumps({'lines': line}))} ! mirevents"
    )
    keys = "most-tracked=3"
    frames = run(stages, 6, 99, KeptOutbox(), gate_keys=keys, also_s=4.6)
    assert [frame.seq for frame in frames] == list(range(60)), "each is published"
    passed = [frame for frame in frames if frame.skipped == TRACKED]
    assert len(passed) >= 4
    assert frames[-1].counts.balanced
    assert frames[-1].counts.skipped[TRACKED] == len(passed)
    assert all("infer" not in frame.timings and not frame.events for frame in passed)
    for frame in passed:
        left = 60 * min(frame.seq / FPS - 3, 2)
        assert frame.detections.xyxy[0].tolist() == pytest.approx([left, 60, left + 80, 110], abs=8)
        assert frame.detections.track_id is not None
        assert frame.detections.track_id[0] == 1
    assert frames[46].looked == MOTION, "what is new is looked at in its first frame"
    assert len(frames[46].detections) == 2
    kinds = [event.kind for frame in frames for event in frame.events]
    assert kinds.count("line-crossed") == 1


@pytest.mark.rtsp
@pytest.mark.usefixtures("launch")
@pytest.mark.parametrize("keys", ["quiet-fps=0.5 skips-still=false", "most-tracked=3"])
def test_while_it_is_asked_for_models_look_at_each_frame(infer: str, keys: str) -> None:
    frames = run(f"{infer} ! {TRACK}", 7, 99, KeptOutbox(), gate_keys=keys, called_s=600)
    assert [frame.seq for frame in frames] == list(range(7 * FPS)), "each is published"
    assert not any(frame.skipped for frame in frames)
    assert ASKED in {frame.looked for frame in frames}


@pytest.mark.parametrize(
    ("keys", "spares"),
    [
        ("", True),
        ("skips-still=false", False),
        ("skips-still=false most-tracked=2", True),
        ("skips-still=false quiet-fps=1", True),
        ("skips-still=false quiet-fps=1 busy-fps=1", False),
    ],
)
@pytest.mark.usefixtures("launch")
def test_a_gate_says_whether_models_look_at_fewer_frames(keys: str, spares: bool) -> None:
    gate = Gst.parse_launch(f"mirgate name=gate {keys} ! fakesink").get_by_name("gate")
    assert gate.spares == spares

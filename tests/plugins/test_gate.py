"""The gate: which frames models look at, and what becomes of the others on their way."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from gi.repository import Gst

from mirante.detections import Detections
from mirante.events import Event
from mirante.frame import FrameResult
from mirante.wire import encode
from plugins.frame import Frame
from plugins.gate.gate import (
    CHECK,
    DAMAGED,
    LEARNING,
    MOTION,
    STILL,
    TRACK,
    TRACKED,
    Gate,
    Presence,
)
from plugins.gate.luma import Luma
from plugins.gate.scene import Scene, carried, moving_in, predicted
from plugins.line import Line
from plugins.memory import Memory
from plugins.track.bytetrack.tracker import ByteTrack
from plugins.track.tracker import Ahead, Unsettled
from tests.support import luma
from tests.support.gated import FPS, HEIGHT, WIDTH, KeptOutbox, run
from tests.support.luma import Walker

Decide = Callable[[float, bool], str]


def decisions(
    seconds: float, settled: Callable[[float], bool] = lambda _at_s: True, *draw: Any
) -> list[tuple[float, str]]:
    """Return the reason of each frame, with its time."""
    gate = Gate(10.0)
    scene = luma.Scene(draw or (luma.still,))
    decided = []
    for at_s, image in scene.frames(seconds):
        decided.append((at_s, gate.decide(image, at_s, (), settled(at_s))))
        if decided[-1][1] != STILL:
            gate.looked(at_s)
    return decided


def reasons(decided: list[tuple[float, str]], begin: float, end: float) -> set[str]:
    return {reason for at_s, reason in decided if begin <= at_s < end}


def test_a_still_camera_is_looked_at_until_it_is_known_and_then_in_turns() -> None:
    decided = decisions(35)
    assert reasons(decided, 0, 2) == {LEARNING}
    assert [at for at, reason in decided if reason == CHECK] == pytest.approx(
        [11.9, 21.9, 31.9], abs=0.15
    )
    assert reasons(decided, 2.1, 11.8) == {STILL}


def test_a_check_of_which_nothing_came_is_made_again_soon() -> None:
    gate, seen_s, looked = Gate(10.0), 0.0, []
    for at_s, image in luma.Scene().frames(40):
        reason = gate.decide(image, at_s, seen_s=seen_s)
        if reason == STILL:
            continue
        gate.looked(at_s)
        looked.append(round(at_s, 1))
        if not 11 < at_s < 14:  # there each frame fails that models look at
            seen_s = at_s
    checks = [at_s for at_s in looked if at_s > 2]
    assert np.diff(checks).tolist() == pytest.approx([1, 1, 1, 10, 10], abs=0.15)


@pytest.mark.parametrize("layout", ["RGB", "BGR", "RGBx", "xRGB", "BGRA", "ABGR", "ARGB64"])
def test_the_brightness_of_rgb_is_of_all_its_colours(layout: str) -> None:
    caps = f"video/x-raw,format={layout},width=64,height=36,framerate=1/1"
    for colour, bright in (("red", 76), ("lime", 150), ("blue", 29), ("white", 255)):
        argb = {"red": 0xFFFF0000, "lime": 0xFF00FF00, "blue": 0xFF0000FF, "white": 0xFFFFFFFF}
        drawn = Gst.parse_launch(
            f"videotestsrc num-buffers=1 pattern=solid-color foreground-color={argb[colour]} "
            f"! {caps} ! appsink name=sink"
        )
        drawn.set_state(Gst.State.PLAYING)
        sample = drawn.get_by_name("sink").emit("pull-sample")
        drawn.set_state(Gst.State.NULL)
        read = Luma.of_caps(sample.get_caps())
        assert read is not None
        buffer = sample.get_buffer()
        with buffer.map(Gst.MapFlags.READ) as mapped:
            thumb = Scene([]).thumb(read.of(buffer, mapped.data), read.bits, read.shares)
        assert thumb.shape == (18, 32)
        assert np.abs(thumb.astype(int) - bright).max() <= 1


def test_motion_is_looked_at_and_a_moment_after_it() -> None:
    walker = Walker(5, speed=80)
    decided = decisions(12, lambda _at_s: True, walker)
    assert reasons(decided, 5.3, 7.5) == {MOTION}
    assert reasons(decided, 11, 11.8) == {STILL}


def test_a_track_that_is_not_settled_is_looked_at() -> None:
    decided = decisions(9, lambda at_s: not 4 <= at_s < 6)
    assert reasons(decided, 4, 6) == {TRACK}
    assert reasons(decided, 6.1, 9) == {STILL}


def result(**fields: Any) -> FrameResult:
    return FrameResult("gate", 7, 1, 10**9, "arrival", 640, 360, **fields)


def two_objects() -> Detections:
    boxes = np.array([[0, 0, 64, 36], [320, 180, 640, 360]], np.float32)
    return Detections(
        boxes,
        np.array([0.9, 0.8], np.float32),
        np.zeros(2, np.int32),
        ("car",),
        track_id=np.array([3, 4]),
        still=np.array([True, False]),
    )


def test_what_was_found_is_carried_and_is_still() -> None:
    event = Event(id="e", camera="gate", kind="object-new", ts=1.0)
    before = result(detections=two_objects(), looked=MOTION, events=(event,))
    now = carried(replace(result(), seq=8, captured_ns=2 * 10**9), before)
    assert (now.seq, now.captured_ns, now.skipped, now.looked) == (8, 2 * 10**9, STILL, "")
    assert now.detections.still is not None
    assert now.detections.still.all()
    assert now.detections.track_id is not None
    assert now.detections.track_id.tolist() == [3, 4]
    assert not now.events
    assert carried(result(), None).skipped == STILL


def test_objects_that_are_expected_keep_what_moves_with_them() -> None:
    found = two_objects()
    points = np.ones((2, 3, 3), np.float32)
    before = result(detections=replace(found, keypoints=points), looked=MOTION)
    places = np.array([[330, 180, 640, 360], [9, 9, 20, 20]], np.float32)
    now = predicted(replace(result(), seq=8), before, Ahead(np.array([4, 7]), places))
    assert (now.seq, now.skipped, now.looked) == (8, TRACKED, "")
    assert now.detections.track_id is not None
    assert now.detections.track_id.tolist() == [4], "nobody knows of 7"
    assert now.detections.xyxy.tolist() == [places[0].tolist()]
    assert now.detections.score.tolist() == pytest.approx([0.8])
    assert now.detections.keypoints is None
    assert not now.masks


def test_what_moves_is_where_it_was_found() -> None:
    assert moving_in(result(detections=two_objects())) == [(0.5, 0.5, 1.0, 1.0)]
    assert moving_in(None) == []


def test_the_small_image_is_as_shown_and_lacks_what_is_hidden() -> None:
    scene = Scene([[(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)]])
    grey = np.full((360, 640), 50, np.uint8)
    grey[:180] = 200
    scene.quarters = 1
    thumb = scene.thumb(grey)
    assert thumb.shape == (160, 90)
    assert thumb[80, 60] in {50, 200}
    assert thumb[80, 85] == 200, "the upper half is on the right after a quarter turn"
    assert not thumb[:, :44].any(), "the left half as shown is hidden"
    scene.mirrored, scene.quarters = True, 2
    assert scene.thumb(grey)[85, 100] == 200


@pytest.mark.rtsp
@pytest.mark.usefixtures("launch")
def test_a_car_that_stands_is_there_without_being_looked_at(infer: str) -> None:
    outbox = KeptOutbox()
    zones = json.dumps({"zones": {"lot": {"polygon": [[0, 0], [1, 0], [1, 1], [0, 1]]}}})
    events = json.dumps({"tracked": True, "lost_s": 1.0, "nothing_seen": {"blue": 10}})
    stages = (
        f"{infer} ! mirtrack still-s=2 lost-s=1 "
        f"! mirzones rules={json.dumps(zones)} ! mirevents options={json.dumps(events)}"
    )
    frames = run(stages, 19, 14, outbox)
    assert [frame.seq for frame in frames] == list(range(190))
    counts = frames[-1].counts
    assert counts.balanced
    assert counts.published == 190
    assert counts.skipped == {STILL: sum(frame.skipped == STILL for frame in frames)}
    assert all(bool(frame.skipped) != bool(frame.looked) for frame in frames)
    at = {round(frame.seq / FPS, 1): frame for frame in frames}
    standing = [at_s for at_s in at if 10 <= at_s < 14]
    assert sum(at[at_s].skipped == STILL for at_s in standing) >= 0.9 * len(standing)
    assert all("infer" not in frame.timings for frame in frames if frame.skipped)
    objects = [encode(at[at_s]).detections["json"] for at_s in at if 8 <= at_s < 15]
    ids = {one["track_id"] for each in objects for one in json.loads(each)["objects"]}
    assert ids == {1}, "it keeps its number"
    lots = [counted.zones["lot"] for at_s in standing if (counted := at[at_s].zones) is not None]
    assert [lot.inside for lot in lots] == [1] * 40
    assert lots[-1].dwell_s == pytest.approx(10.5, abs=1.0)
    assert not at[14.4].skipped
    kinds = [event.kind for frame in frames for event in frame.events]
    assert kinds.count("object-new") == kinds.count("object-end") == 1
    assert kinds.count("nothing-seen") == 1
    [silence] = [e for frame in frames for e in frame.events if e.kind == "nothing-seen"]
    assert frames[silence.seq or 0].skipped
    shown = cv2.imdecode(np.frombuffer(outbox.images[silence.id], np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    found = cv2.resize(shown, (WIDTH, HEIGHT))[85, 160]
    assert found.tolist() == pytest.approx([0, 0, 255], abs=60), "the car, in the last image"


@pytest.mark.rtsp
@pytest.mark.usefixtures("launch")
def test_whoever_watches_sees_frames_that_no_model_looks_at(infer: str) -> None:
    outbox = KeptOutbox()
    outbox.is_watched = True
    stages = f"{infer} ! mirpreview fps=60"
    frames = run(stages, 3, 99, outbox)
    skipped = [frame.seq for frame in frames if frame.skipped]
    assert skipped
    assert all("infer" not in frames[seq].timings for seq in skipped)
    assert set(skipped) & set(outbox.shown)


def test_a_look_that_finds_less_is_repeated_for_a_second() -> None:
    presence = Presence()
    assert presence.is_settled(["car", "person"], 0.0)
    assert not presence.is_settled(["car"], 10.0)
    assert presence.is_settled(["person", "car", "car"], 10.1), "missed in a single frame"
    assert [presence.is_settled(["car"], at_s) for at_s in (20, 20.5, 20.9, 21.0, 21.1)] == [
        *[False] * 3,
        *[True] * 2,
    ]
    assert not presence.is_settled(["bus"], 30.0), "another class does not stand for it"


def watched(box: tuple[float, float, float, float], since_s: float, missed_s: float) -> Unsettled:
    """Return one track, in a frame of 1x1."""
    return Unsettled(np.array([box], np.float32), np.array([since_s]), np.array([missed_s]))


def test_what_appears_and_goes_where_nothing_has_moved_keeps_no_camera_awake() -> None:
    gate = Gate()
    there, elsewhere = (0.0, 0.4, 0.2, 0.9), (0.8, 0.0, 0.9, 0.1)
    one = (1, 1)
    assert not gate.explains(watched(there, -9.0, 0.0), one, 0.0), "no image was seen"
    last_s = 0.0
    for last_s, image in luma.Scene((Walker(5, speed=80),)).frames(9):
        gate.decide(image, last_s)
        gate.looked(last_s)
    assert gate.explains(watched(elsewhere, last_s - 1.1, 0.0), one, last_s)
    assert not gate.explains(watched(elsewhere, last_s - 0.9, 0.0), one, last_s), "just found"
    assert gate.explains(watched(elsewhere, 2.0, 1.1), one, last_s)
    assert not gate.explains(watched(elsewhere, 2.0, 0.9), one, last_s), "missed in a few frames"
    assert not gate.explains(watched(there, 6.0, 0.0), one, last_s), "somebody came"
    assert not gate.explains(watched(there, 2.0, 1.1), one, last_s), "somebody left"
    boxes = np.array([elsewhere, there], np.float32)
    assert not gate.explains(Unsettled(boxes, np.full(2, 2.0), np.full(2, 1.1)), one, last_s)
    assert gate.explains(watched(there, last_s + 60.0, 0.0), one, last_s + 61.5)


@pytest.mark.rtsp
@pytest.mark.usefixtures("launch")
def test_tracks_of_a_stage_that_is_gone_keep_no_camera_awake(infer: str) -> None:
    memory = Memory()
    memory.part("track", ByteTrack).unsettled = None
    frames = run(infer, 3, 99, KeptOutbox(), memory)
    assert any(frame.skipped for frame in frames)


@pytest.mark.usefixtures("launch")
def test_an_image_that_was_made_up_stands_for_no_later_moment() -> None:
    shown: list[int] = []

    def stage(frame: Frame, result: FrameResult) -> FrameResult:
        shown.append(int(frame.pixels[0, 0, 0]))
        return result

    element: Any = Gst.ElementFactory.make("mirevents")
    element.stage, element.line = stage, Line()
    caps = Gst.Caps.from_string("video/x-raw,format=RGB,width=4,height=4")
    element.do_set_caps(caps, caps)
    element.handle(Gst.Buffer.new_wrapped(bytes([1] * 48)), 1, result(looked=MOTION))
    element.handle(Gst.Buffer.new_wrapped(bytes([2] * 48)), 2, result(looked=DAMAGED, damaged=True))
    element.on_skipped(None, result(skipped=STILL))
    assert shown == [1, 2, 1]

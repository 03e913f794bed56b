"""Tracks: an object keeps its number over misses, drops, crossings and a restart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.once.crowd import Crowd
from mirante.detections import UNTRACKED, Detections
from mirante.frame import FrameResult
from plugins.memory import Memory
from plugins.track.bytetrack.tracker import ByteTrack
from plugins.track.camera_motion import shift_of
from plugins.track.clock import Clock
from plugins.track.motion import centred
from plugins.track.options import TrackOptions
from plugins.track.stage import TrackStage

LABELS = ("person", "car")
START_NS = 1_700_000_000_000_000_000


def frame(at_s: float, boxes: list[list[float]], score: float = 0.9, label: int = 0) -> FrameResult:
    n = len(boxes)
    found = Detections(
        np.array(boxes, np.float32).reshape(n, 4),
        np.full(n, score, np.float32),
        np.full(n, label, np.int32),
        LABELS,
    )
    captured_ns = START_NS + int(at_s * 1e9)
    return FrameResult("gate", 0, 0, captured_ns, "arrival", 640, 480, found)


def walker(at_s: float, x: float, speed: float, y: float = 200) -> list[float]:
    left = x + speed * at_s
    return [left, y, left + 30, y + 80]


@pytest.mark.parametrize("fps", [2, 5, 25])
def test_two_who_cross_keep_their_numbers(fps: int) -> None:
    tracker, seen = ByteTrack(), [set[int](), set[int]()]
    chance = np.random.default_rng(fps)
    for number in range(8 * fps):
        at_s = number / fps
        boxes = [walker(at_s, 50, 60), walker(at_s, 560, -60, 230)]
        there = [i for i in (0, 1) if chance.random() > 0.1]
        noisy = [[side + chance.normal(0, 2) for side in boxes[i]] for i in there]
        for i, track in zip(there, tracker.update(frame(at_s, noisy)).ids.tolist(), strict=True):
            if track != UNTRACKED:
                seen[i].add(track)
    assert [len(ids) for ids in seen] == [1, 1]
    assert seen[0] != seen[1]


def test_a_number_outlives_a_second_without_frames_and_a_restart() -> None:
    memory = Memory()
    stage = TrackStage("bytetrack", TrackOptions(), memory)
    ids = set[int]()
    for number in range(20):
        ids.update(track_ids(stage, frame(number / 10, [walker(number / 10, 50, 40)])))
    ids.update(track_ids(stage, frame(3.0, [walker(3.0, 50, 40)])))
    assert ids - {UNTRACKED} == {1}
    saved = memory.saved()
    assert len(saved["track"]) < 400
    for back_s in (6.0, 14.0):  # what is left may be older than the restart took
        after = TrackStage("bytetrack", TrackOptions(), Memory(saved))
        assert track_ids(after, frame(back_s, [walker(back_s, 50, 40)])) == [1]
    for at_s in (30.0, 30.1, 30.2):  # too late: another object, and another number
        last = track_ids(after, frame(at_s, [walker(6.0, 50, 40)]))
    assert last == [2]


def track_ids(stage: TrackStage, result: FrameResult) -> list[int]:
    after = stage(None, result)  # type: ignore[arg-type]
    assert after.detections.track_id is not None
    return after.detections.track_id.tolist()


def test_what_stands_is_still_and_what_moves_is_not() -> None:
    tracker = ByteTrack()
    tracker.options = TrackOptions(still_s=2.0)
    for number in range(40):
        at_s = number / 10
        told = tracker.update(frame(at_s, [walker(at_s, 300, 0), walker(at_s, 20, 50, 350)]))
    assert told.still.tolist() == [True, False]


def test_an_object_that_was_seen_once_has_no_number() -> None:
    tracker = ByteTrack()
    assert tracker.update(frame(0.0, [[0, 0, 30, 30]], score=0.6)).ids.tolist() == [UNTRACKED]
    assert tracker.update(frame(0.1, [])).ids.tolist() == []


@pytest.mark.parametrize("was_often", [False, True])
@pytest.mark.parametrize("period_s", [1.0, 2.0, 5.0, 14.0])
def test_frames_that_are_usually_rare_have_numbers(period_s: float, was_often: bool) -> None:
    stage, there = TrackStage(), [walker(0, 50, 0), walker(0, 450, 0)]
    for number in range(20 if was_often else 0):
        track_ids(stage, frame(number / 10 - 2 - period_s, []))
    ids = []
    for number in range(6):
        moved = [[side + 3 * number for side in box] for box in there]
        ids.append(track_ids(stage, frame(number * period_s, moved)))
    assert ids[2:] == [[1, 2]] * 4
    after = 6 * period_s
    assert track_ids(stage, frame(after, [walker(0, 250, 0), there[1]])) == [UNTRACKED, 2]


def test_per_class_a_car_is_no_person() -> None:
    for per_class in (False, True):
        tracker = ByteTrack()
        tracker.options = TrackOptions(per_class=per_class)
        for number in range(4):
            tracker.update(frame(number / 10, [[100, 100, 140, 180]]))
        told = tracker.update(frame(0.4, [[100, 100, 140, 180]], label=1))
        assert (told.ids.tolist() == [1]) is not per_class


def test_a_damaged_frame_tells_nothing() -> None:
    stage = TrackStage()
    for number in range(4):
        track_ids(stage, frame(number / 10, [[100, 100, 140, 180]]))
    damaged = replace(frame(0.4, [[100, 100, 140, 180]]), damaged=True)
    assert track_ids(stage, damaged) == [UNTRACKED]
    assert track_ids(stage, frame(0.5, [[100, 100, 140, 180]])) == [1]


@pytest.mark.parametrize("restarts", [False, True])
def test_a_camera_that_comes_back_by_another_clock_keeps_its_numbers(
    restarts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first frames have the time of arrival, until it says its own: an hour later here."""
    here_s = 0.0
    monkeypatch.setattr("time.time_ns", lambda: START_NS + int(here_s * 1e9))
    tracker, numbers = ByteTrack(), []
    for number in range(40):
        here_s = number / 10 + (1.5 if number >= 20 else 0.0)
        boxes = [walker(here_s, 40.0 + 60 * n, 60) for n in range(4)]  # one where the next was
        result = frame(here_s, boxes)
        if number < 20:
            camera_ns = result.captured_ns + 3600 * 10**9
            result = replace(result, ts_source="rtcp", captured_ns=camera_ns)
        if number == 20 and restarts:
            tracker = ByteTrack(tracker.saved())
        numbers.append(tracker.update(result).ids.tolist())
    assert numbers[5:] == [[1, 2, 3, 4]] * 35


@pytest.mark.parametrize("waited_s", [0.05, 2.0])
def test_a_frame_that_waits_for_a_worker_to_begin_came_before(
    waited_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock is another one, so what passed is told by this machine's."""
    here_s = 0.0
    monkeypatch.setattr("time.time_ns", lambda: START_NS + int(here_s * 1e9))
    clock = Clock()
    for number in range(10):
        here_s = number / 10 + 0.05
        clock.tick(replace(frame(number / 10 - 3600, []), ts_source="rtcp"))
    after, here_s = Clock(clock.captured_ns, "rtcp", clock.period_s, clock.here_ns), 5 + waited_s
    assert after.tick(frame(5.0, [])).elapsed_s == pytest.approx(4.1, abs=0.06)


def street(at_s: float, shift: float) -> list[list[float]]:
    """Five who walk apart from each other, in an image that has moved."""
    boxes = [walker(at_s, 60 + 100.0 * n, 12.0 * (-1) ** n, 150 + 20.0 * n) for n in range(5)]
    return [[left + shift, top, right + shift, bottom] for left, top, right, bottom in boxes]


@pytest.mark.parametrize("camera_motion", [False, True])
def test_a_camera_that_jerks_changes_no_number_where_that_is_said(camera_motion: bool) -> None:
    tracker = ByteTrack()
    tracker.options = TrackOptions(camera_motion=camera_motion)
    numbers = [
        tracker.update(frame(n / 10, street(n / 10, 55.0 if n >= 20 else 0.0))).ids.tolist()
        for n in range(30)
    ]
    assert (numbers[-1] == numbers[10] == [1, 2, 3, 4, 5]) is camera_motion


def shift(expected: list[list[float]], found: list[list[float]]) -> list[float]:
    return shift_of(
        *(centred(np.array(each, np.float64).reshape(-1, 4)) for each in (expected, found))
    ).tolist()


def test_a_shift_is_what_moves_most_objects_alike() -> None:
    before, after = street(0.0, 0.0), street(0.1, 55.0)
    assert shift(before, after) == pytest.approx([55, 0], abs=3)
    assert shift(before, after[:4][::-1]) == pytest.approx([55, 0], abs=3)
    assert shift(before, street(0.1, 3.0)) == [0, 0]  # no more than objects move themselves
    assert shift(before, [*before[:3], *after[3:]]) == [0, 0]  # two of five walk
    assert shift(before[:2], after[:2]) == [0, 0]  # too few to tell
    assert shift(before, []) == [0, 0]


def test_what_was_found_beside_somebody_twice_does_not_take_their_number() -> None:
    tracker, person, part = ByteTrack(), walker(0.0, 200, 0), walker(0.0, 211, 0)
    for number in range(20):
        tracker.update(frame(number / 25, [person, part] if number >= 18 else [person]))
    after = [tracker.update(frame(n / 25, [part])).ids.tolist() for n in range(24, 28)]
    assert after == [[1]] * 4


@pytest.mark.parametrize("noise", [0.0, 3.0])
@pytest.mark.parametrize("gap_s", [4.0, pytest.param(6.0, marks=pytest.mark.full), 9.0])
def test_a_crowd_keeps_its_numbers_over_seconds_without_frames(gap_s: float, noise: float) -> None:
    """People in rows, some of whom leave meanwhile as others come, who take nobody's."""
    crowd, chance = Crowd(120, 4.0, 11.0), np.random.default_rng(7)
    tracker, numbers, owners = ByteTrack(), dict[int, set[int]](), dict[int, set[int]]()
    for at_s in [*np.arange(0, 12, 0.2), *np.arange(12 + gap_s, 20 + gap_s, 0.2)]:
        who, boxes = crowd.at(at_s)
        xyxy = boxes + chance.normal(0, noise, boxes.shape)
        shown = replace(frame(at_s, xyxy.tolist()), width=crowd.width, height=crowd.height)
        for walker_number, number in zip(who, tracker.update(shown).ids, strict=True):
            if number != UNTRACKED:
                numbers.setdefault(int(walker_number), set()).add(int(number))
                owners.setdefault(int(number), set()).add(int(walker_number))
        if at_s < 12 <= at_s + 0.2:
            tracker = ByteTrack(tracker.saved())
    changed = [one for one, its in numbers.items() if len(its) > 1]
    assert len(changed) <= len(numbers) // 20  # of those who had only just come
    taken = [number for number, its in owners.items() if len(its) > 1]
    assert len(taken) <= (len(numbers) // 50 if noise else 0)


@pytest.mark.parametrize("gap_s", [2.0, 4.0, 9.0])
def test_who_comes_in_a_gap_is_somebody_new(gap_s: float) -> None:
    """One stands, one is about to leave; another comes close to where that one was last."""
    tracker = ByteTrack()
    for number in range(20):
        at_s = number / 10
        tracker.update(frame(at_s, [walker(0, 100, 0), walker(at_s, 420, 80)]))
    after_s = [2.0 + gap_s + number / 10 for number in range(5)]
    comes = [[walker(0, 100, 0), walker(at_s - after_s[0], 600, -40)] for at_s in after_s]
    last = [
        tracker.update(frame(*shown)).ids.tolist() for shown in zip(after_s, comes, strict=True)
    ]
    assert last[-1] == [1, 3]
    assert all(ids[1] != 2 for ids in last)


def test_where_two_could_be_who_was_there_both_are_new() -> None:
    tracker = ByteTrack()
    for number in range(20):
        tracker.update(frame(number / 10, [walker(0, 300, 0)]))
    beside = [walker(0, 260, 0), walker(0, 345, 0)]
    last = [tracker.update(frame(5 + number / 10, beside)).ids.tolist() for number in range(4)]
    assert last[-1] == [2, 3]
    assert all(1 not in ids for ids in last)


@pytest.mark.parametrize("fps", [10, 25])
def test_who_was_half_hidden_and_then_hidden_did_not_shrink_or_rise(fps: int) -> None:
    """First the feet are hidden for a moment, then all of them, behind a parked car."""
    tracker, ids = ByteTrack(), []
    for number in range(round(3.6 * fps)):
        at_s = number / fps
        left = 100 + 60 * at_s
        is_cut, is_gone = 2.0 <= at_s < 2.1, 2.1 <= at_s < 2.8
        boxes = [] if is_gone else [[left, 100, left + 60, 160 if is_cut else 260]]
        ids += tracker.update(frame(at_s, boxes, 0.6 if is_cut else 0.9)).ids.tolist()
    assert set(ids[3:]) == {1}


def test_where_a_walker_should_be_is_known_and_changes_nothing() -> None:
    tracker = ByteTrack()
    for number in range(20):
        tracker.update(frame(number / 10, [walker(number / 10, 50, 60)]))
    steady = tracker.outlook
    assert steady.is_steady
    assert steady.overlap > 0.8
    before = tracker.saved()
    ahead = tracker.ahead(frame(2.3, []))
    assert ahead.ids.tolist() == [1]
    assert ahead.xyxy[0].tolist() == pytest.approx(walker(2.3, 50, 60), abs=4)
    assert tracker.saved() == before
    assert tracker.update(frame(2.3, [walker(2.3, 50, 60)])).ids.tolist() == [1]
    tracker.update(frame(2.4, [walker(2.4, 50, 60), walker(2.4, 400, 0)]))
    begun = tracker.outlook
    assert not begun.is_steady, "one is new"
    tracker.update(frame(2.5, []))
    missing = tracker.outlook
    assert not missing.is_steady
    assert not len(tracker.ahead(frame(2.6, [])).ids), "missing"

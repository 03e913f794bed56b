"""Trails: small, and exact enough to count the last minutes by other rules."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from mirante.detections import Detections
from mirante.frame import FrameResult
from mirante.keys import key
from mirante.trails import Moment, Trail, read_trail, write_trail
from mirante.wire.errors import WireError
from mirante.zones import ZoneCounts
from mirante.zones.counter import Counter
from mirante.zones.recount import Recount
from mirante.zones.rules import Rules, read_rules
from plugins.outbox.outbox import Outbox
from plugins.outbox.retention import Retention
from plugins.outbox.ring import Ring
from plugins.trails import CROWDED_MS, FEW, PAUSE_MS, Trails
from tests.support.redis_child import RedisChild
from tests.support.redis_entries import entries
from tests.support.walks import DOOR, GATE, frame, walk

Until = Callable[..., Any]
TRACKS = key("gate", "tracks")
RULES = read_rules(msgspec.json.encode({"zones": {"door": DOOR}, "lines": {"gate": GATE}}))


def trails_of(results: Iterable[FrameResult]) -> list[Trail]:
    trails = Trails()
    found = [trails.add(each) for each in results] + [trails.take()]
    return [each for each in found if each is not None]


def live(results: Iterable[FrameResult], rules: Rules = RULES) -> ZoneCounts:
    counter = Counter()
    counter.adopt(rules)
    *_, last = (counter.count(each).counts for each in results)
    return last


def again(results: Sequence[FrameResult], rules: Rules = RULES) -> ZoneCounts:
    counting = Recount(rules, "gate")
    counting.take(map(write_trail, trails_of(results)))
    assert counting.counts is not None
    return counting.counts


def walkers(ways: Sequence[tuple[float, float, float]], fps: float, seed: int) -> Any:
    """Frames of who walks: of each when it comes, and from where to where in 4 s; boxes tremble."""
    chance = np.random.default_rng(seed)
    last_s = max(start_s for start_s, *_ in ways) + 8
    for number in range(round(last_s * fps)):
        at_s, places = number / fps, dict[int, tuple[float, float]]()
        for track, (start_s, begin, end) in enumerate(ways, 1):
            share = (at_s - start_s) / 4
            if 0 <= share <= 1:
                x, y = np.array([begin + (end - begin) * share, 300]) + chance.normal(0, 1, 2)
                places[track] = float(x), float(y)
        yield frame(at_s, places, still=[False] * len(places))


@pytest.mark.parametrize("fps", [5, 12, 25])
def test_three_in_two_out_as_the_camera_counted_them(fps: float) -> None:
    ways = [(i * 1.7, *((20, 620) if i % 2 == 0 else (620, 20))) for i in range(5)]
    results = list(walkers(ways, fps, 3))
    counts = again(results)
    assert (counts.lines["gate"].in_, counts.lines["gate"].out) == (3, 2)
    assert (counts.zones["door"].entered, counts.zones["door"].left) == (5, 5)
    before = live(results)
    assert (counts.lines, counts.zones) == (before.lines, before.zones)


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(n, marks=pytest.mark.full) for n in (2, 3))])
def test_a_crowd_is_counted_as_the_camera_counted_it(seed: int) -> None:
    chance = np.random.default_rng(seed)
    sides = chance.random(40) < 0.5
    ways = [
        (s, *((30, 610) if side else (610, 30)))
        for s, side in zip(chance.uniform(0, 15, 40).tolist(), sides.tolist(), strict=True)
    ]
    results = list(walkers(ways, 25, seed))
    assert max(len(each.detections) for each in results) > FEW
    counts, before = again(results), live(results)
    assert counts.lines == before.lines
    assert counts.lines["gate"].in_ == sides.sum()
    assert counts.zones["door"].entered == before.zones["door"].entered == 40


@pytest.mark.parametrize(("inside_s", "entered"), [(0.2, 0), (0.4, 0), (0.48, 0), (0.8, 1)])
def test_a_flicker_is_not_counted(inside_s: float, entered: int) -> None:
    for start_s in np.linspace(2, 2.2, 4):
        xs = [320 if start_s <= i / 25 < start_s + inside_s else 50 for i in range(150)]
        results = walk(xs, 25)
        assert again(results).zones["door"].entered == entered
        assert live(results).zones["door"].entered == entered


def test_a_change_of_the_picture_is_no_change_of_places() -> None:
    xs = np.linspace(20, 620, 100).tolist()
    results = [
        each
        if number < 50
        else replace(
            each,
            width=1280,
            height=720,
            detections=replace(each.detections, xyxy=each.detections.xyxy * 2),
        )
        for number, each in enumerate(walk(xs, 25))
    ]
    assert {each.size for each in trails_of(results)} == {(640, 360), (1280, 720)}
    assert again(results).lines["gate"].in_ == live(results).lines["gate"].in_ == 1


@pytest.mark.parametrize("many", [0, 1, 7, 300])
def test_what_is_read_is_what_was_seen(many: int) -> None:
    chance = np.random.default_rng(many)
    boxes = chance.uniform(-100, 2000, (many, 4)).astype(np.float32)
    objects = Detections(
        boxes,
        chance.random(many).astype(np.float32),
        np.arange(many, dtype=np.int32),
        tuple(f"class {number}" for number in range(many)),
        np.arange(many, dtype=np.int64) + 2**40,
        still=chance.random(many) < 0.5,
    )
    seen = replace(frame(0, {}), detections=objects, width=1920, height=1080)
    empty = replace(frame(0.25, {}), width=1920, height=1080)
    trail = read_trail(write_trail(trails_of([seen, empty])[0]))
    first, then = trail.results("gate")
    found = first.detections
    assert (first.camera, first.width, first.height) == ("gate", 1920, 1080)
    assert (first.captured_ns, then.captured_ns) == (seen.captured_ns, empty.captured_ns)
    assert len(then.detections) == 0
    assert found.track_id is not None and found.still is not None
    assert found.track_id.tolist() == objects.track_id.tolist()  # type: ignore[union-attr]
    assert [found.labels[each] for each in found.class_id] == list(objects.labels)
    assert found.still.tolist() == objects.still.tolist()  # type: ignore[union-attr]
    np.testing.assert_allclose(found.xyxy, boxes, atol=0.06)
    np.testing.assert_allclose(found.score, objects.score, atol=1 / 509)


@pytest.mark.parametrize(("many", "pause_ms"), [(FEW, PAUSE_MS), (FEW + 1, CROWDED_MS)])
def test_many_objects_are_noted_less_often(many: int, pause_ms: int) -> None:
    places = {track: (10.0 * track, 300.0) for track in range(1, many + 1)}
    results = [frame(number / 100, places) for number in range(1000)]
    trails = trails_of(results)
    moments = [trail.begun_ms + after_ms for trail in trails for after_ms in trail.after_ms]
    assert set(np.diff(moments)) == {-(-pause_ms // 10) * 10}
    assert 9 <= len(trails) <= 13, "about one a second"
    assert max(map(len, map(write_trail, trails))) < 1_400


def test_a_slow_camera_loses_nothing_and_a_clock_may_be_set() -> None:
    results = [frame(at_s, {1: (50, 300)}) for at_s in (0, 1, 2, 30, 10, 10.5)]
    trails = trails_of(results)
    noted = [moment.captured_ns for trail in trails for moment in trail.results("gate")]
    assert noted == [each.captured_ns for each in results]
    assert all(0 <= after_ms < 10_000 for trail in trails for after_ms in trail.after_ms)


def test_frames_without_tracks_and_damaged_ones_show_nothing() -> None:
    trails = Trails()
    for number in range(50):
        assert trails.add(frame(number, {1: (50, 300)}, tracked=False)) is None
        assert trails.add(frame(number, {1: (50, 300)}, damaged=True)) is None
    assert trails.take() is None


@pytest.mark.parametrize(
    "changes",
    [
        {"boxes": b"1234567"},
        {"boxes": b""},
        {"objects": [2]},
        {"objects": []},
        {"tracks": []},
        {"labels": []},
        {"track": b"\x01"},
        {"score": b""},
        {"still": b""},
    ],
)
def test_what_does_not_fit_together_is_refused(changes: dict[str, Any]) -> None:
    seen = frame(0, {7: (50, 300)})
    assert seen.detections.track_id is not None
    good = Trail.of([Moment.of(seen, seen.detections.track_id)])
    assert len(list(good.results("gate"))) == 1
    broken = read_trail(write_trail(msgspec.structs.replace(good, **changes)))
    with pytest.raises(WireError, match="not a trail"):
        list(broken.results("gate"))
    for data in (b"", b"\x90", b"\xc1"):
        with pytest.raises(WireError, match="not a trail"):
            read_trail(data)


def test_an_outage_fills_no_memory_with_trails_and_costs_no_frames() -> None:
    lost: list[Any] = []
    ring = Ring(0.0, 1 << 20, 60.0, lambda *frames: lost.append(frames))
    for number in range(1, 100):
        ring.put_trail("gate", number, b"t" * 1000)
    [lane] = ring.of("gate")
    assert (len(lane.unsent), lane.last.ms, lost) == (1, 99, [])
    lane.deny()
    assert not lane.unsent, "another publisher's are in its place"


def test_trails_go_when_they_are_old(
    server: RedisChild, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plugins.outbox.command._RENEW_S", 0.0)
    outbox = Outbox(server.url, Retention(tracks_s=0.3))
    outbox.start()
    crowd = {track: (3.0 * track, 300.0) for track in range(1, 200)}
    [trail] = trails_of([frame(number / 5, crowd) for number in range(4)])
    outbox.trail("gate", trail)
    client = server.client()
    [(name, fields)] = until(lambda: entries(client, TRACKS))
    assert name.startswith(str(trail.ended_ms).encode())
    assert read_trail(fields[b"msgpack"]) == trail
    assert 86_000 < client.ttl(TRACKS) <= 86_400
    assert not client.exists(key("gate", "detections"))

    def is_gone() -> bool:
        outbox.trail("gate", trail)
        time.sleep(0.05)
        return entries(client, TRACKS)[0][0] != name

    until(is_gone)
    outbox.close()

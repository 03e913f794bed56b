"""Counting in zones and across lines: once for each object and cause, at any frame rate."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from mirante.events import Event
from mirante.frame import FrameResult
from mirante.mask import Mask
from mirante.zones.counter import Counter, UntrackedError
from mirante.zones.rules import read_rules
from tests.support.walks import DOOR, GATE, GROUND, START_NS, frame, walk


def counter(**rules: Any) -> Counter:
    made = Counter()
    made.adopt(read_rules(json.dumps(rules)))
    return made


def play(made: Counter, frames: Iterable[FrameResult]) -> list[Event]:
    return [event for each in frames for event in made.count(each).events]


def kinds(events: Iterable[Event]) -> list[str]:
    return [f"{event.kind} {event.direction}".strip() for event in events]


def test_a_visit_is_one_entry_and_one_exit_with_its_time() -> None:
    made = counter(zones={"door": DOOR})
    events = play(made, walk(np.linspace(20, 620, 151).tolist(), 25))
    assert kinds(events) == ["zone-entered", "zone-left"]
    entered, left = events
    assert (entered.zone, entered.label, entered.track_id) == ("door", "person", 1)
    assert left.dwell_s == pytest.approx(3.2, abs=0.05)  # 320 of 600 px in 6 s
    assert left.bbox is not None
    assert "person 1 left door after 3.2 s" in left.reason
    assert len({event.id for event in events}) == 2
    counts = made.count(frame(20, {})).counts.zones["door"]
    assert (counts.inside, counts.entered, counts.left) == (0, 1, 1)


@pytest.mark.parametrize("fps", [1, 2, 5, 12, 30])
@pytest.mark.parametrize("seed", range(4))
def test_any_walk_counts_each_crossing_once(fps: int, seed: int) -> None:
    """To and fro over the line, with noise of 3 px and a tenth of the boxes missing."""
    rng = np.random.default_rng(seed)
    made = counter(lines={"gate": GATE})
    turns, t_s, events, at_right = int(rng.integers(1, 7)), 0.0, [], False
    for _ in range(turns):
        ends = (150, 490) if not at_right else (490, 150)
        for x in np.linspace(*ends, 4 * fps):
            t_s += 1 / fps
            seen = rng.random() > 0.1
            where = (x + rng.normal(0, 3), 250 + rng.normal(0, 3))
            events += play(made, [frame(t_s, {1: where} if seen else {})])
        at_right = not at_right
    assert kinds(events) == [f"line-crossed {('in', 'out')[i % 2]}" for i in range(turns)]


def test_trembling_on_a_line_is_one_crossing_at_most() -> None:
    rng = np.random.default_rng(7)
    made = counter(lines={"gate": GATE})
    xs = [200, 260, *(320 + rng.normal(0, 3, 400)), 380, 440]
    assert kinds(play(made, walk(xs, 25))) == ["line-crossed in"]
    back = [440, 330, *(320 + rng.normal(0, 3, 400)), 335, 440]
    assert play(made, walk(back, 25, 100)) == []


def test_a_flicker_at_a_border_and_missed_boxes_are_no_exit() -> None:
    rng = np.random.default_rng(3)
    made = counter(zones={"door": DOOR})
    inside = [frame(i / 25, {1: (300, 300)}) for i in range(50)]
    flicker = [
        frame(2 + i / 25, {1: (160 + rng.normal(0, 3), 300)} if rng.random() > 0.2 else {})
        for i in range(500)
    ]
    assert kinds(play(made, inside + flicker)) == ["zone-entered"]
    again = counter(zones={"door": DOOR})
    brief = [frame(i / 25, {1: (200 if i % 10 == 0 else 100, 300)}) for i in range(500)]
    assert play(again, brief) == []  # inside in one frame of ten


def test_one_missed_frame_a_second_is_no_exit() -> None:
    made = counter(zones={"door": DOOR})
    frames = [frame(i, {} if i % 3 == 2 else {1: (300, 300)}) for i in range(20)]
    assert kinds(play(made, frames)) == ["zone-entered"]


@pytest.mark.parametrize("gap_s", [0.5, 2.0, 5.0])
def test_an_object_lost_on_the_line_is_counted_when_it_comes_again(gap_s: float) -> None:
    made = counter(lines={"gate": GATE})
    before = walk([200, 240, 280], 5)
    gap = [frame(0.6 + i / 5, {}) for i in range(int(gap_s * 5))]
    after = walk([380, 420], 5, 0.6 + gap_s)
    assert kinds(play(made, before + gap + after)) == ["line-crossed in"]


def test_an_object_that_ends_just_behind_the_line_is_counted_once() -> None:
    made = counter(lines={"gate": GATE})
    end = [frame(1 + i / 5, {}) for i in range(100)]
    assert kinds(play(made, walk([280, 300, 325], 5) + end)) == ["line-crossed in"]
    assert made.count(frame(60, {})).counts.lines["gate"].in_ == 1


def test_a_way_around_the_end_is_no_crossing() -> None:
    made = counter(lines={"gate": {"from": [0.5, 0.9], "to": [0.5, 0.4]}})
    around = [(250, 200), (250, 100), (320, 90), (322, 100), (390, 100), (390, 200)]
    assert play(made, [frame(i / 5, {1: each}) for i, each in enumerate(around)]) == []
    back = [frame(5 + i / 5, {1: (x, 200)}) for i, x in enumerate([390, 300, 200])]
    assert kinds(play(made, back)) == ["line-crossed out"]


def test_what_stands_causes_nothing_more() -> None:
    rng = np.random.default_rng(1)
    made = counter(zones={"door": DOOR}, lines={"gate": GATE})
    come = walk([200, 240, 280, 318], 2)
    stand = [
        frame(2 + i / 2, {1: (320 + rng.normal(0, 40), 300)}, still=[True]) for i in range(100)
    ]
    assert kinds(play(made, come + stand)) == ["zone-entered"]
    counts = made.count(frame(60, {1: (320, 300)}, still=[True])).counts.zones["door"]
    assert (counts.inside, counts.queue) == (1, 1)
    assert counts.dwell_s == pytest.approx(60, abs=1)


def test_a_long_time_counts_although_the_object_stands() -> None:
    made = counter(zones={"parking": DOOR | {"after_s": 30}})
    frames = [frame(i, {1: (320, 300)}, still=[i > 5]) for i in range(60)]
    (event,) = play(made, frames)
    assert event.ts == pytest.approx(START_NS / 1e9 + 30)


def test_crowded_once_until_there_is_room() -> None:
    made = counter(zones={"hall": DOOR | {"crowded": 2, "crowded_s": 3}})
    three = {1: (250.0, 300.0), 2: (300.0, 300.0), 3: (350.0, 300.0)}
    events = play(made, [frame(i / 5, three) for i in range(50)])
    assert kinds(events) == ["zone-entered"] * 3 + ["zone-crowded"]
    assert (events[-1].count, events[-1].track_id) == (3, None)
    assert made.count(frame(10, three)).counts.zones["hall"].crowded
    play(made, [frame(11 + i / 5, {1: three[1]}) for i in range(30)])
    assert not made.count(frame(18, {1: three[1]})).counts.zones["hall"].crowded
    later = play(made, [frame(20 + i / 5, three) for i in range(50)])
    assert kinds(later).count("zone-crowded") == 1


@pytest.mark.parametrize(
    ("rule", "changes", "counts"),
    [
        ({"classes": ["person"]}, {"label": "car"}, False),
        ({"classes": ["person", "car"]}, {"label": "car"}, True),
        ({"score": 0.95}, {}, False),
        ({"score": 0.9}, {}, True),
        ({"size": 0.3}, {}, False),
        ({"size": 0.2}, {}, True),
        ({"after_s": 10}, {}, False),
    ],
)
def test_only_what_fits_counts(rule: dict[str, Any], changes: dict[str, Any], counts: bool) -> None:
    made = counter(zones={"door": DOOR | rule}, lines={"gate": GATE | rule})
    frames = [frame(i / 5, {1: (200 + 10 * i, 300)}, **changes) for i in range(25)]
    events = play(made, frames)
    assert {event.kind for event in events} == (
        {"zone-entered", "line-crossed"} if counts else set()
    )


def test_the_anchor_decides() -> None:
    low = {"polygon": [[0, 0.8], [1, 0.8], [1, 1], [0, 1]]}
    made = counter(zones={"feet": low, "middle": low | {"anchor": "centre"}})
    events = play(made, [frame(i / 5, {1: (300, 300)}) for i in range(10)])
    assert [event.zone for event in events] == ["feet"]


def test_the_share_of_a_mask_decides() -> None:
    left = {"polygon": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]], "anchor": "mask"}
    made = counter(zones={"half": left | {"share": 0.5}, "most": left | {"share": 0.9}})
    mask = Mask.from_planes(("person",), np.ones((1, 20, 20), bool), (292, 200, 332, 280))
    events = play(
        made, [frame(i / 5, {1: (312, 300), 2: (100, 300)}, own=((mask,), ())) for i in range(10)]
    )
    assert [(event.zone, event.track_id) for event in events] == [("half", 1)]


def test_a_plane_is_a_zone_and_a_frame_without_it_changes_nothing() -> None:
    made = counter(zones={"road": {"mask": "drivable"}})
    plane = np.zeros((1, 36, 64), bool)
    plane[:, 20:, :32] = True
    masks = (Mask.from_planes(("drivable",), plane, (0, 0, 640, 360)),)
    on, off = {1: (100.0, 300.0)}, {1: (500.0, 300.0)}
    assert kinds(play(made, [frame(i / 5, on, masks=masks) for i in range(10)])) == ["zone-entered"]
    assert play(made, [frame(2 + i / 5, off) for i in range(50)]) == []
    left = [frame(12 + i / 5, off, masks=masks) for i in range(10)]
    assert kinds(play(made, left)) == ["zone-left"]


def test_zones_are_of_the_whole_image_though_it_is_cut() -> None:
    made = counter(zones={"door": DOOR})
    area = (0.5, 0.0, 1.0, 1.0)  # 640x360 of 1280x360: the door's right edge is at x = 320
    for i in range(10):
        made.count(frame(i / 5, {1: (300, 300), 2: (340, 300)}), area)
    assert (
        made.count(frame(3, {1: (300, 300), 2: (340, 300)}), area).counts.zones["door"].inside == 1
    )


def test_damaged_frames_show_nothing() -> None:
    made = counter(zones={"door": DOOR})
    frames = [frame(i / 5, {1: (300, 300)}, damaged=i >= 10) for i in range(10)]
    gone = [frame(2 + i / 5, {}, damaged=True) for i in range(50)]
    assert kinds(play(made, frames + gone)) == ["zone-entered"]


def test_where_nothing_is_drawn_nothing_is_counted() -> None:
    """As of a camera whose last zone was removed while it runs."""
    assert play(counter(), walk(range(0, 600, 50), 5)) == []


def test_objects_without_tracks_are_refused() -> None:
    with pytest.raises(UntrackedError, match="expected a track stage"):
        counter(zones={"door": DOOR}).count(frame(0, {1: (9, 99)}, tracked=False))


@pytest.mark.parametrize("cut", range(0, 130, 10))
def test_a_successor_goes_on_as_if_it_were_the_same(cut: int) -> None:
    rng = np.random.default_rng(5)
    rules: dict[str, Any] = {"zones": {"door": DOOR}, "lines": {"gate": GATE}}
    xs = np.linspace(60, 600, 130)
    frames = [
        frame(i / 10, {1: (x + rng.normal(0, 2), 300), 7: (660 - x, 320)}) for i, x in enumerate(xs)
    ] + [frame(13 + i / 10, {}) for i in range(30)]
    whole = play(counter(**rules), frames)
    first = counter(**rules)
    events = play(first, frames[:cut])
    second = Counter(first.saved())
    second.adopt(read_rules(json.dumps(rules)))
    assert [(e.id, e.kind, e.ts) for e in events + play(second, frames[cut:])] == [
        (e.id, e.kind, e.ts) for e in whole
    ]


def test_twenty_tracks_are_saved_in_200_bytes_each() -> None:
    zones = {f"zone{i}": DOOR for i in range(5)}
    made = counter(zones=zones, lines={"gate": GATE})
    play(made, [frame(i / 5, {n: (20 + 30 * n, 300) for n in range(1, 21)}) for i in range(9)])
    assert len(made.saved()) <= 20 * 200


def test_bytes_of_no_counter_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        Counter(b"\xc1")


def test_other_rules_from_the_next_frame_on() -> None:
    made = counter(zones={"door": DOOR, "gone": DOOR}, lines={"gate": GATE})
    play(made, walk([200, 250, 290], 2))
    moved = {"from": [0.3, 1], "to": [0.3, 0]}
    made.adopt(
        read_rules(
            json.dumps(
                {"zones": {"yard": DOOR, "door": DOOR}, "lines": {"gate": moved, "far": GATE}}
            )
        )
    )
    events = play(made, walk([291, 292, 293, 294], 2, 2))
    told = [(event.kind, event.zone) for event in events]
    assert told == [("zone-left", "gone"), ("zone-entered", "yard")]
    assert events[0].reason == "person 1 left gone after 1.0 s: the zone was removed"
    counts = made.count(frame(5, {1: (294, 300)})).counts
    assert (counts.zones["door"].entered, counts.zones["door"].inside) == (1, 1)
    assert (counts.lines["gate"].in_, counts.lines["gate"].out) == (0, 0)


def test_a_clock_that_is_set_back_ends_nothing() -> None:
    made = counter(zones={"door": DOOR})
    here = {1: (300.0, 300.0)}
    play(made, [frame(3600 + i / 5, here) for i in range(10)])
    assert play(made, [frame(i / 5, here) for i in range(10)]) == []
    assert kinds(play(made, [frame(3 + i / 5, {}) for i in range(10)])) == ["zone-left"]


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("lost_s", [1, 30])
def test_who_was_inside_before_an_outage_left_when_last_seen(lost_s: float, restarts: bool) -> None:
    rules = {"zones": {"door": DOOR | {"lost_s": lost_s, "crowded": 0}}, "lines": {"gate": GATE}}
    made = counter(**rules)
    play(made, [frame(i / 5, {1: (300, 300), 2: (20 + 2 * i, 300)}) for i in range(20)])
    assert made.count(frame(4, {1: (300, 300)})).counts.zones["door"].inside == 1
    if restarts:
        made = Counter(made.saved())
        made.adopt(read_rules(json.dumps(rules)))
    back = made.count(frame(604, {9: (310, 300)}, epoch=2000))
    [left] = back.events
    assert (left.kind, left.track_id) == ("zone-left", 1)
    assert left.dwell_s == pytest.approx(4)
    assert left.ts == pytest.approx(START_NS / 1e9 + 4)
    assert (left.seq, left.epoch) == (None, None)
    assert left.reason == "person 1 left door after 4.0 s, then no frame came for 600 s"
    door = back.counts.zones["door"]
    assert (door.inside, door.entered, door.left) == (0, 1, 1)
    events = play(made, [frame(604 + i / 5, {9: (310, 300)}, epoch=2000) for i in range(1, 20)])
    assert "zone-entered" in kinds(events)
    assert "zone-left" not in kinds(events)
    assert len({event.id for event in (left, *events)}) == 1 + len(events)


def test_an_object_that_crossed_just_before_an_outage_is_counted_once() -> None:
    made = counter(lines={"gate": GATE})
    assert play(made, walk([270, 290, 310, 322, 323, 324, 324], 5)) == []
    [crossed] = made.count(frame(60, {})).events
    assert (crossed.direction, crossed.seq) == ("in", None)
    assert crossed.ts == pytest.approx(START_NS / 1e9 + 1.2)
    assert play(made, walk([320, 310, 330, 400], 5, 60.2, track=2)) == []


def test_a_crowd_does_not_grow_in_an_outage() -> None:
    made = counter(zones={"door": DOOR | {"crowded": 0, "crowded_s": 5}})
    play(made, walk([300] * 10, 5))
    events = play(made, [frame(60 + i / 5, {2: (300, 300)}) for i in range(40)])
    assert [(e.kind, round(e.ts - START_NS / 1e9)) for e in events[1:]] == [
        ("zone-entered", 61),
        ("zone-crowded", 66),
    ]


@pytest.mark.parametrize("by_s", [3600, -3600])
def test_a_clock_that_is_set_ends_nobody_who_is_still_there(by_s: float) -> None:
    made = counter(zones={"door": DOOR})
    play(made, [frame(5000 + i / 5, {1: (300, 300), 2: (310, 300)}) for i in range(10)])
    there = [frame(5002 + by_s + i / 5, {1: (300, 300)}) for i in range(3)]
    assert play(made, there) == []
    more = [frame(5003 + by_s + i / 5, {1: (300, 300)}) for i in range(20)]
    [left] = play(made, more)
    assert left.track_id == 2
    assert left.dwell_s == pytest.approx(1.8, abs=0.3)


def test_speed_and_way_on_the_ground() -> None:
    made = counter(zones={"door": DOOR}, lines={"gate": GATE}, ground=GROUND)
    events = play(made, [frame(i / 10, {1: (64 + 6.4 * i, 324)}) for i in range(80)])
    (crossed,) = [event for event in events if event.kind == "line-crossed"]
    assert crossed.speed_kmh == pytest.approx(3.6, rel=0.02)  # 8 m in 8 s
    assert crossed.speed_error_kmh is not None
    assert 0 < crossed.speed_error_kmh < 1
    (left,) = [event for event in events if event.kind == "zone-left"]
    assert left.distance_m == pytest.approx(5, abs=0.7)

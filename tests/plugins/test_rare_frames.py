"""A gate that has seen nothing move lets few frames pass: the time between them is no gap."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from mirante.detections import UNTRACKED
from mirante.frame import FrameResult
from mirante.zones.counter import Counter
from mirante.zones.rules import read_rules
from plugins.events.options import EventsOptions
from plugins.events.stage import EventsStage
from plugins.frame import Frame
from plugins.track.bytetrack.tracker import ByteTrack
from plugins.track.options import TrackOptions
from tests.support.walks import DOOR, START_NS, frame

IMAGE = Frame(np.zeros((360, 640, 3), np.uint8))
LAMP = {1: (320.0, 300.0)}
QUIET_S = 200


def stands(gap_s: float) -> Iterator[FrameResult]:
    """Yield frames of a lamp that comes, stands for long, is missed once, and is found again."""
    known: dict[str, Any] = {"label": "lamp"}
    for number in range(100):
        yield frame(number / 10, LAMP, looked="motion", **known)
    for number in range(round(QUIET_S / gap_s)):
        yield frame(10 + number * gap_s, LAMP, still=[True], skipped="still", **known)
    yield frame(10 + QUIET_S, {}, looked="motion")
    for number in range(10):
        yield frame(10.1 + QUIET_S + number / 10, LAMP, looked="motion", **known)


@pytest.mark.parametrize("gap_s", [0.5, 2, 5, 20])
def test_silence_is_told_in_time_and_nothing_ends(gap_s: float) -> None:
    stage = EventsStage(EventsOptions(nothing_seen={"person": 60.0}, lost_s=1.0))
    events = [event for each in stands(gap_s) for event in stage(IMAGE, each).events]
    assert [event.kind for event in events] == ["object-new", "nothing-seen"]
    assert 60 <= events[1].ts - START_NS / 1e9 <= 60 + gap_s


@pytest.mark.parametrize("gap_s", [0.5, 2, 5, 20])
def test_time_in_a_zone_grows(gap_s: float) -> None:
    made = Counter()
    made.adopt(read_rules(json.dumps({"zones": {"door": DOOR}})))
    times = [
        made.count(each).counts.zones["door"].dwell_s
        for each in stands(gap_s)
        if len(each.detections)
    ]
    assert times[-1] == pytest.approx(10 + QUIET_S + 1, abs=1)


@pytest.mark.parametrize("gap_s", [0.5, 2, 5])
def test_a_look_that_misses_what_stands_gives_no_new_number(gap_s: float) -> None:
    tracker = ByteTrack()
    tracker.options = TrackOptions(lost_s=1.0, still_s=5.0)
    ids = set[int]()
    for each in stands(gap_s):
        if each.skipped:
            tracker.rest(each)
        else:
            ids |= {*tracker.update(each).ids.tolist()}
    assert ids == {UNTRACKED, 1}

"""The stage that counts, on its own and in a real pipeline."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from mirante.zones.counter import UntrackedError
from plugins.frame import Frame
from plugins.memory import Memory
from plugins.zones.stage import PART, ZonesStage
from tests.support.walks import DOOR, frame, walk

IMAGE = Frame(np.zeros((4, 4, 3), np.uint8))
RULES = json.dumps({"zones": {"door": DOOR}})


def test_counts_and_events_join_the_result() -> None:
    stage = ZonesStage(RULES)
    results = [stage(IMAGE, each) for each in walk([300, 310, 320, 330], 2)]
    assert results[-1].zones is not None
    assert results[-1].zones.zones["door"].inside == 1
    assert [event.kind for each in results for event in each.events] == ["zone-entered"]
    assert results[0].timings[PART] > 0


def test_a_graph_that_is_built_again_goes_on() -> None:
    memory = Memory()
    for each in walk([300, 310, 320], 2):
        ZonesStage(RULES, memory)(IMAGE, each)
    again = ZonesStage(RULES, Memory(memory.saved()))
    after = again(IMAGE, frame(2, {1: (320, 300)}))
    assert after.zones is not None
    assert (after.zones.zones["door"].inside, after.events) == (1, ())


def test_other_rules_are_taken_from_the_next_frame_on() -> None:
    live: dict[str, str] = {}
    stage = ZonesStage(RULES, live=live)
    frames = walk([300, 310, 320, 330, 340], 2)
    stage(IMAGE, frames[0])
    live[PART] = json.dumps({"zones": {"yard": DOOR}})
    counted = stage(IMAGE, frames[1]).zones
    assert counted is not None
    assert list(counted.zones) == ["yard"]
    again = ZonesStage(RULES, live=live)(IMAGE, frames[2]).zones
    assert again is not None
    assert list(again.zones) == ["yard"]


@pytest.mark.parametrize("restarts", [False, True])
def test_a_zone_that_is_removed_and_drawn_again_has_an_exit_for_each_entry(restarts: bool) -> None:
    memory, frames, events = Memory(), walk([300] * 60, 5), []
    for rules, first in (RULES, 0), ('{"zones": {}}', 20), (RULES, 40):
        memory = Memory(memory.saved()) if restarts else memory
        ZonesStage(rules, memory)  # one that ends before its first frame
        memory = Memory(memory.saved()) if restarts else memory
        stage = ZonesStage(rules, memory)
        events += [
            event for i in range(first, first + 20) for event in stage(IMAGE, frames[i]).events
        ]
    assert [event.kind for event in events] == ["zone-entered", "zone-left", "zone-entered"]
    assert len({event.id for event in events}) == 3


def test_without_a_tracker_the_frame_fails_in_words() -> None:
    plain = frame(0, {1: (300, 300)}, tracked=False)
    with pytest.raises(UntrackedError, match="expected a track stage"):
        ZonesStage(RULES)(IMAGE, plain)


@pytest.mark.rtsp
def test_the_element_refuses_rules_that_are_none(launch: Any) -> None:
    source = "videotestsrc num-buffers=2 ! video/x-raw,format=RGB,width=64,height=50"
    ended = launch(f'{source} ! mirzones rules="{{\\"zone\\": 1}}" ! fakesink')
    assert ended.error is not None
    assert "unknown field `zone`" in ended.error
    assert launch(f"{source} ! mirzones ! fakesink").error is None

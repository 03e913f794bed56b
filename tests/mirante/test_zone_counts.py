"""Zones and lines in a frame's message."""

from __future__ import annotations

import json

import msgspec
import pytest

from mirante.wire import WireError, decode, encode
from mirante.zones import LineCount, ZoneCount, ZoneCounts
from tests.support.wire_frames import some_frame

COUNTS = ZoneCounts(
    {
        "door": ZoneCount(inside=3, entered=12, left=9, dwell_s=4.5, queue=0, crowded=True),
        "yard": ZoneCount(inside=0, entered=0, left=0),
    },
    {"gate": LineCount(in_=4, out=2)},
)


def test_counts_are_read_as_they_were_written() -> None:
    message = encode(some_frame(zones=COUNTS)).detections["json"]
    assert json.loads(message)["lines"] == {"gate": {"in": 4, "out": 2}}
    assert json.loads(message)["zones"]["yard"] == {"inside": 0, "entered": 0, "left": 0}
    assert decode(message).zones == COUNTS


@pytest.mark.parametrize("counts", [None, ZoneCounts({}, {})])
def test_a_camera_that_counts_nothing_says_nothing(counts: ZoneCounts | None) -> None:
    message = encode(some_frame(zones=counts)).detections["json"]
    assert not {"zones", "lines"} & json.loads(message).keys()
    assert decode(message).zones is None


@pytest.mark.parametrize(
    "wrong", [{"zones": {"door": {"inside": -1, "entered": 0, "left": 0}}}, {"lines": {"gate": 3}}]
)
def test_what_no_count_is_is_refused(wrong: dict[str, object]) -> None:
    message = json.loads(encode(some_frame(zones=COUNTS)).detections["json"]) | wrong
    with pytest.raises(WireError):
        decode(msgspec.json.encode(message))

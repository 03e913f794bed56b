"""A zone that is turned off while the camera runs."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from mirante.zones.counter import Counter
from mirante.zones.rules import read_rules
from tests.support.walks import DOOR, frame


def counter(zone: dict[str, Any], made: Counter | None = None) -> Counter:
    made = made or Counter()
    made.adopt(read_rules(json.dumps({"zones": {"door": zone}})))
    return made


def kinds(made: Counter, begin_s: float, end_s: float) -> list[str]:
    """The events of a person who stands in the zone."""
    frames = [frame(t_s, {1: (320.0, 250.0)}) for t_s in np.arange(begin_s, end_s, 0.2)]
    return [event.kind for each in frames for event in made.count(each).events]


def test_a_zone_that_is_off_counts_nothing_and_keeps_its_totals() -> None:
    made = counter(DOOR)
    assert kinds(made, 0, 3) == ["zone-entered"]
    counter({**DOOR, "enabled": False}, made)
    assert kinds(made, 3, 9) == ["zone-left"]
    counts = made.count(frame(9, {1: (320.0, 250.0)})).counts.zones["door"]
    assert (counts.inside, counts.entered, counts.left) == (0, 1, 1)
    counter(DOOR, made)
    assert kinds(made, 9.2, 12) == ["zone-entered"]

"""Rules of zones, lines and ground that cannot be."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mirante.zones.rules import read_rules
from tests.support.walks import DOOR, GATE, GROUND


@pytest.mark.parametrize(
    ("ground", "words"),
    [
        ({"metres": [[0, 0], [8, 0], [8, 20]]}, "4 in image and 3 in metres"),
        ({"image": [[0.1, 0.9]] * 3, "metres": [[0, 0]] * 3}, "expected 4 to 20 places, got 3"),
        ({"image": [[0.1, 0.9], [0.5, 0.9], [0.9, 0.9], [0.3, 0.4]]}, "image: places 1, 2 and 3"),
        (
            {"metres": [[0, 0], [4, 0], [8, 0], [0, 20]]},
            "metres: places 1, 2 and 3 are in one line",
        ),
        ({"image": [[0.1, 0.9], [0.9, 0.9], [0.3, 0.4], [0.7, 0.4]]}, "edges 2 and 4 cross"),
        ({"metres": [[0, 0], [8, 0], [0, 20], [8, 20]]}, "edges 2 and 4 cross"),
        ({"image": [[0.5, 0.5]] * 4}, "in one line"),
        ({"image": [[0.1, 0.9], [0.9, 0.9], [0.5, 0.5], [0.5, 0.85]]}, "behind it"),
    ],
)
def test_ground_that_is_none_is_refused_in_words(ground: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_rules(json.dumps({"ground": GROUND | ground}))


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"zones": {"door": {"classes": []}}}, "polygon or mask"),
        ({"zones": {"door": DOOR | {"mask": "drivable"}}}, "polygon or mask"),
        ({"zones": {"door": {"polygon": [[0, 0], [1, 1]]}}}, "3 corners or more"),
        ({"zones": {"door": DOOR | {"colour": "red"}}}, "colour"),
        ({"lines": {"gate": {"from": [0.5, 0.5], "to": [0.5, 0.5]}}}, "apart"),
        ({"lines": {"gate": GATE | {"anchor": "mask"}}}, "bottom or centre"),
        ({"lines": {"the gate": GATE}}, "lines"),
    ],
)
def test_rules_that_are_none_are_refused_in_words(rules: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_rules(json.dumps(rules))

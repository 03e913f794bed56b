"""The measurement of bridges runs each of them, and prints a rate and the CPU."""

from __future__ import annotations

import re

import pytest
from typer import BadParameter

from bridges.throughput import BRIDGES, Kind, main

pytestmark = pytest.mark.redis


@pytest.mark.parametrize("bridge", BRIDGES)
def test_each_bridge_is_measured(bridge: str, capsys: pytest.CaptureFixture[str]) -> None:
    kind: Kind = "events" if bridge == "webhook" else "detections"
    main(bridge, kind, 100)
    said = capsys.readouterr().out
    assert re.fullmatch(rf"{bridge}: [\d,]+ {kind}/s, \d+\.\d+ s of CPU for 1,000\n", said)


def test_what_is_refused() -> None:
    with pytest.raises(BadParameter, match=r"expected one of files, .* got 'paper'"):
        main("paper")
    with pytest.raises(
        BadParameter, match="--kind: expected detections for metropolis, got events"
    ):
        main("metropolis")
    with pytest.raises(BadParameter, match="--kind: expected events for webhook, got detections"):
        main("webhook", "detections")

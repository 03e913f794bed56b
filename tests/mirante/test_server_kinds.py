"""Publishing and subscribing on every kind of server that is supported."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

import mirante
from mirante import Gap
from mirante.client.plan import FrameKind
from mirante.keys import key
from plugins.outbox.outbox import Outbox
from tests.support.redis_child import RedisChild
from tests.support.simulated_camera import LANES, frame

KINDS: tuple[FrameKind, ...] = ("detections", "masks")
STREAM = key("gate", "detections")


@pytest.fixture
def server(any_server: RedisChild) -> RedisChild:
    return any_server


def test_a_group_takes_over_from_the_dead_and_counts_what_was_trimmed(
    server: RedisChild, outbox: Outbox, until: Callable[..., Any]
) -> None:
    for number in range(40):
        outbox.publish(frame(number, masks=(LANES,)))
    until(lambda: outbox.state.sent["gate"] == 40)
    at_once: dict[str, Any] = {"redis": server.url, "since": "0", "block_s": 0.1}
    dead = mirante.subscribe("gate", KINDS, group="alarm", consumer="dead", **at_once)
    assert [next(dead).seq for _ in range(16)] == list(range(16))
    server.client().xtrim(STREAM, maxlen=30, approximate=False)
    gaps: list[Gap] = []
    claiming: dict[str, Any] = {"claim_s": 0.2, "timeout_s": 60, "on_gap": gaps.append}
    with mirante.subscribe(
        "gate", KINDS, group="alarm", consumer="heir", **at_once, **claiming
    ) as consumer:
        first = itertools.islice(consumer, 30)  # what it held beyond them would be pending
        got = [(f.seq, f.lost_before, len(f.masks)) for f in first]
        consumer.ack()
    assert sorted(got) == [(number, 0, 1) for number in range(10, 40)]
    assert consumer.lost == {"gate": 10}
    assert [gap.frames for gap in gaps if gap.before] == []
    assert server.client().xpending(STREAM, "alarm")["pending"] == 0
    with mirante.subscribe("*", KINDS, **at_once, timeout_s=0.2) as reader:
        assert [f.seq for f in reader] == list(range(10, 40))

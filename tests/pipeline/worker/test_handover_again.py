"""A camera that was handed over and is begun again by the worker that has it since."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from mirante.events import Event
from mirante.faults import FaultCode
from mirante.keys import FLEET_KEEPER, owner_key
from mirante.redis_url import RedisUrl
from pipeline.cameras.state import State
from pipeline.config.settings import Settings
from pipeline.control.beats import Beat, beat, beats
from pipeline.control.entries import Desired
from pipeline.control.registry import connect
from pipeline.control.sessions import LATE_S
from pipeline.worker.handover import Handovers
from pipeline.worker.redis_server import RedisServer
from plugins.outbox.outbox import Outbox
from tests.support.redis_sites import eventually

URL = "redis://127.0.0.1:1"
TAKEN = Desired("gate", {"url": "test://"}, "api", "b", fleet=True, before="a")


def test_what_waits_is_kept_where_the_camera_is_its_workers_already() -> None:
    """The registry says for ever from whom it was taken over."""
    outbox = Outbox(URL)  # to which Redis is away
    handovers = Handovers(Settings.model_validate({"worker": "b"}), outbox, RedisUrl(URL))
    line = SimpleNamespace(takes_over=True)
    running: Any = SimpleNamespace(line=line, carriage=SimpleNamespace(is_leaving=False))
    handovers.follow({"gate": TAKEN}, (), {})
    assert handovers.begin("gate")
    handovers.follow({"gate": TAKEN}, (), {"gate": running})
    assert handovers.begin("gate"), "it was edited before it was taken over"
    outbox._ring.free("gate")
    line.takes_over = False
    outbox.events("gate", 1, [Event(id="1", camera="gate", kind="object-new", ts=time.time())])
    handovers.follow({"gate": TAKEN}, (), {"gate": running})
    assert not handovers.begin("gate")
    assert outbox.state.depth == 1
    handovers.follow({}, (), {})
    handovers.follow({"gate": TAKEN}, (), {})
    assert handovers.begin("gate"), "others had it since"


@pytest.mark.parametrize(
    ("code", "found"),
    [(FaultCode.CAMERA_FULL, ["gate"]), (FaultCode.NO_ROUTE, []), (None, [])],
    ids=["one session", "out of reach", "a model loads"],
)
def test_only_a_camera_that_may_allow_one_session_is_claimed_without_an_image(
    code: FaultCode | None, found: list[str]
) -> None:
    outbox = Outbox(URL)
    handovers = Handovers(Settings.model_validate({"worker": "b"}), outbox, RedisUrl(URL))
    handovers.follow({"gate": TAKEN}, (), {})
    assert handovers.begin("gate")
    runner = SimpleNamespace(state=State.RECONNECTING, code=code)
    running: Any = SimpleNamespace(line=SimpleNamespace(takes_over=True), runner=runner)
    assert handovers.late({"gate": running}) == []
    handovers._begun_s["gate"] -= LATE_S
    assert handovers.late({"gate": running}) == found


@pytest.mark.redis
def test_what_nobody_publishes_and_cannot_be_reached_is_told(redis_server: RedisServer) -> None:
    """Its worker before is dead: else its last status would stand for ever."""
    outbox = Outbox(redis_server.url)
    settings = Settings.model_validate({"worker": "b"})
    handovers = Handovers(settings, outbox, RedisUrl(redis_server.url))
    handovers.follow({"gate": TAKEN}, (), {})
    assert handovers.begin("gate")
    handovers._begun_s["gate"] -= LATE_S
    runner = SimpleNamespace(state=State.RECONNECTING, code=FaultCode.NO_ROUTE)
    running: Any = SimpleNamespace(line=SimpleNamespace(takes_over=True), runner=runner)
    with connect(redis_server.url) as client:
        client.set(owner_key("gate"), "a:x.1")
        assert handovers.late({"gate": running}) == []
        client.delete(owner_key("gate"))
    assert handovers.late({"gate": running}) == [], "asked a moment ago"
    handovers._ask_s = 0.0
    assert handovers.late({"gate": running}) == ["gate"]


@pytest.mark.redis
def test_a_worker_that_ends_waits_only_for_others_that_stay(redis_server: RedisServer) -> None:
    settings = Settings.model_validate({"worker": "a", "fleet": {"join": True}})
    beating = Handovers(settings, Outbox(redis_server.url), RedisUrl(redis_server.url)).beating
    with connect(redis_server.url) as client:
        client.set(FLEET_KEEPER, "k")
        beating.start()
        try:
            assert not beating.leave(), "it is alone"
            other = Beat(run="1", number=1, node="n", cores=1.0)
            beat(client, "b", other)
            eventually(beating.leave)
            eventually(lambda: [name for name, b in beats(client).items() if b.leaves] == ["a"])
            beat(client, "b", replace(other, leaves=True))
            assert not beating.leave(), "the other ends too"
            beat(client, "b", other)
            client.delete(FLEET_KEEPER)
            assert not beating.leave(), "nobody gives its cameras away"
        finally:
            beating.stop()
        assert beats(client).keys() == {"b"}

"""A camera that was handed over and is begun again by the worker that has it since."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

from mirante.events import Event
from mirante.redis_url import RedisUrl
from pipeline.config.settings import Settings
from pipeline.control.entries import Desired
from pipeline.worker.handover import Handovers
from plugins.outbox.outbox import Outbox

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

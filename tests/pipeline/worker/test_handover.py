"""Whole workers that hand a camera of the fleet over to one another."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import pairwise
from typing import Any

import pytest
import redis

from mirante.keys import key, owner_key
from pipeline.config.settings import Settings
from pipeline.control.entries import Needs
from pipeline.control.registry import Place, Registry, connect
from pipeline.gst.camera import CameraRunner
from pipeline.worker.redis_server import RedisServer
from pipeline.worker.worker import Worker
from tests.support.redis_entries import entries
from tests.support.running_worker import running

pytestmark = pytest.mark.redis
KEPT = {"retention": {"detections_s": 600}}  # all frames, however long a handover takes


def wait(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def written(client: redis.Redis) -> list[dict[str, Any]]:
    found = entries(client, key("gate", "detections"))
    return [json.loads(fields[b"json"]) for _, fields in found]


def owner(client: redis.Redis) -> str:
    token: Any = client.get(owner_key("gate")) or b""
    return str(token.decode().partition(":")[0])


def test_workers_hand_a_camera_over(redis_server: RedisServer) -> None:
    """Whole workers: one follows the other in the stream without a pause between the two."""
    with ExitStack() as around:
        client: redis.Redis = around.enter_context(connect(redis_server.url))
        registry = Registry(client)
        registry.add("gate", {"url": "test://?size=320x180&fps=20", "stages": []}, Needs())
        registry.assign({"gate": Place("a")})
        made = {}
        for name in "ab":
            settings = Settings.model_validate({"worker": name, "cameras": {}, "redis": KEPT})
            made[name] = Worker(settings, redis_server.url, CameraRunner)
            around.enter_context(running(made[name]))
        wait(lambda: len(written(client)) > 5)
        registry.assign({"gate": Place("b", "a")})
        wait(lambda: owner(client) == "b")
        wait(lambda: "gate" not in made["a"].state().cameras)
        count = len(written(client))
        wait(lambda: len(written(client)) > count + 5)
        assert made["a"].state().outbox.refused == 0
        assert made["a"].outbox.state.words == ""
        registry.assign({"gate": Place("a", "b")})
        wait(lambda: owner(client) == "a")
        count = len(written(client))
        wait(lambda: len(written(client)) > count + 5)
    epochs = [int(str(message["epoch"])) for message in written(client)]
    assert len(set(epochs)) == 3
    assert all(one <= other for one, other in pairwise(epochs))

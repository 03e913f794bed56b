"""``mirante fleet models``: put, listed by the cameras that name them, and pruned."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from engines.manifest import ZOO
from mirante.keys import BLOBS
from pipeline.control.registry import Registry, connect
from pipeline.worker.redis_server import RedisServer
from tests.support.outcome import Run

pytestmark = pytest.mark.redis


@pytest.fixture
def client(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, mirante: Run
) -> Iterator[redis.Redis]:
    del mirante  # which clears the variables first
    monkeypatch.setenv("MIRANTE_REDIS_URL", redis_server.url)
    with connect(redis_server.url) as client:
        yield client


def test_models_that_no_camera_names_are_pruned(mirante: Run, client: redis.Redis) -> None:
    boxes = mirante("fleet", "models", "put", str(ZOO / "test-boxes.yaml")).out.strip()
    lane = mirante("fleet", "models", "put", str(ZOO / "test-lane.yaml")).out.strip()
    assert boxes.startswith("fleet/test-boxes@")
    assert client.hlen(BLOBS) == 4
    Registry(client).put("gate", {"url": "test://", "stages": [{"model": boxes}]})
    lines = mirante("fleet", "models", "list").out.splitlines()
    assert [line.split() for line in lines[1:]] == [[boxes, "gate", "yes"]]
    assert mirante("fleet", "models", "prune").out.startswith("2 removed\n")
    assert mirante("fleet", "models", "prune").out == "0 removed\n"
    assert lane.rpartition("@")[2] not in str(client.hkeys(BLOBS))
    Registry(client).remove("gate")
    assert mirante("fleet", "models", "prune").out.startswith("2 removed\n")
    assert mirante("fleet", "models", "put", "no-such").status == 2

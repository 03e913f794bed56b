"""``mirante fleet key``: made, rotated, everything sealed anew, the old one dropped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from mirante.keys import CAMERAS
from pipeline.control.registry import Registry, connect
from pipeline.control.sealing import default_path
from pipeline.worker.redis_server import RedisServer
from tests.support.outcome import Run

pytestmark = pytest.mark.redis
URL = "rtsp://admin:hunter2@h/x"


@pytest.fixture
def client(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    monkeypatch.setenv("MIRANTE_REDIS_URL", redis_server.url)
    with connect(redis_server.url) as client:
        yield client


def test_a_key_is_changed_without_a_camera_noticing(
    mirante: Run, client: redis.Redis, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIRANTE_REDIS_URL", redis_server.url)
    status, out, _ = mirante("fleet", "key")
    assert status == 0
    assert default_path().stat().st_mode & 0o777 == 0o600
    key = default_path().read_text().strip()
    assert key not in out
    assert mirante("fleet", "key").status == 1, "one that is there is not overwritten"
    Registry(client).put("gate", {"url": URL})
    Registry(client).put("yard", {"url": "rtsp://h/yard"})
    assert mirante("fleet", "key", "--rotate").status == 0
    assert default_path().read_text().split()[1] == key
    refused = mirante("fleet", "key", "--drop-old")
    assert (refused.status, "old keys are in use by gate" in refused.err) == (1, True)
    assert mirante("fleet", "key", "--reseal").out.endswith("newest key: gate\n")
    assert mirante("fleet", "key", "--reseal").out.endswith("none needed it\n")
    assert mirante("fleet", "key", "--drop-old").status == 0
    assert len(default_path().read_text().split()) == 1
    assert key not in default_path().read_text()
    assert Registry(client).resolved("gate").url.password == "hunter2"
    held = json.loads(client.hget(CAMERAS, "gate") or b"")["spec"]["url"]
    assert "hunter2" not in held


def test_steps_without_a_key_say_so(mirante: Run, client: redis.Redis, home: Path) -> None:
    del client, home
    for step in ("--rotate", "--reseal", "--drop-old"):
        status, _, err = mirante("fleet", "key", step)
        assert (status, "make a key with: mirante fleet key" in err) == (1, True)

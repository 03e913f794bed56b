"""What docs/operations.md says of the names in Redis, and what a real run leaves there."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Iterator

import pytest
import redis

import mirante
from mirante.keys import key
from pipeline.config.settings import Settings
from pipeline.control.registry import Registry, connect
from pipeline.gst.camera import CameraRunner
from pipeline.worker.redis_server import RedisServer
from pipeline.worker.worker import Worker
from tests.support import ROOT

pytestmark = pytest.mark.redis
DAY_S = 86_400
SECONDS = {  # of what the last column of the table says: at least and at most; None: no end
    "for ever": None,
    "10 s": (1, 10),
    "a day": (DAY_S - 60, DAY_S),
    "`retention.forget_s`, a day": (DAY_S - 60, DAY_S),
    "`retention.events_s`, a week": (7 * DAY_S - 60, 7 * DAY_S),
    "35 days": (35 * DAY_S - 60, 35 * DAY_S),
    "as long as the camera's results": (DAY_S - 60, DAY_S),
    "as long as who asked waits": (1, 60),
    "5 minutes, or until it is taken": (1, 300),
}


def rows() -> Iterator[tuple[re.Pattern[str], str]]:
    """Names as patterns, and what the table says of how long they stay."""
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    for name, stays in re.findall(r"^\| `(mirante:[^`]+)` \|.*\| ([^|]+) \|$", page, re.M):
        pattern = re.escape(name).replace(r"\{camera\}", r"\{gate\}")
        yield re.compile(re.sub("WORKER|KIND|ID", "[a-z0-9]+", pattern)), stays


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    with connect(redis_server.url) as client:
        yield client


def test_every_key_of_a_run_is_in_the_table_with_its_time(
    redis_server: RedisServer, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    client.config_set("maxmemory-policy", "volatile-lru")
    camera = {"url": "test://?size=320x180&fps=10", "stages": [{"model": "test-lane"}]}
    worker = Worker(
        Settings.model_validate({"cameras": {"gate": camera}}), redis_server.url, CameraRunner
    )
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    try:
        with mirante.subscribe("gate", group="g", redis=redis_server.url) as frames:
            assert next(frames).camera == "gate"
        Registry(client).pause("gate")
        Registry(client).resume("gate")
        deadline_s = time.monotonic() + 60
        while client.ttl(key("gate", "groups")) < 0 or not client.exists(
            "mirante:{mirante:workers}:main"
        ):
            assert time.monotonic() < deadline_s
            time.sleep(0.1)
        names = sorted(name.decode() for name in client.scan_iter("*"))
        left = {name: client.ttl(name) for name in names}
    finally:
        stop.set()
        thread.join()
        client.config_set("maxmemory-policy", "noeviction")
    table = list(rows())
    assert len(table) >= 16
    found = set()
    for name, ttl_s in left.items():
        [stays] = [stays for pattern, stays in table if pattern.fullmatch(name)]
        found.add(name.rpartition(":")[2])
        bounds = SECONDS[stays]
        if bounds is None:
            assert ttl_s == -1, name
        else:
            assert bounds[0] <= ttl_s <= bounds[1], name
    assert {"detections", "masks", "status", "owner", "groups", "cameras", "version"} <= found
    assert caplog.text.count("maxmemory-policy volatile-lru") == 1

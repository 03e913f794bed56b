"""A worker whose Redis refuses writes, goes, evicts, or loses the cameras: over a real one."""

from __future__ import annotations

import json
import logging
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from mirante.keys import CAMERAS, CAMERAS_VERSION, PROBE, key, memory_key
from mirante.refusal import WORDS
from pipeline.config.settings import Settings
from pipeline.control.registry import connect
from pipeline.gst.camera import CameraRunner
from pipeline.worker.worker import CONSEQUENCE, Worker
from tests.support.redis_child import RedisChild
from tests.support.redis_entries import entries
from tests.support.refusing import WAYS, refusing, spoilable_server

pytestmark = pytest.mark.redis
CAMERA = {"url": "test://?size=320x180&fps=10", "stages": []}


@dataclass
class Site:
    """A worker with one camera, and its Redis."""

    worker: Worker
    server: RedisChild
    client: redis.Redis

    @property
    def taken(self) -> int:
        """Frames that Redis took."""
        return self.worker.outbox.state.sent.get("gate", 0)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with tempfile.TemporaryDirectory(prefix="mr") as short, spoilable_server(Path(short)) as server:
        settings = Settings.model_validate({"cameras": {"gate": CAMERA}})
        worker = Worker(settings, server.url, CameraRunner)
        stop = threading.Event()
        thread = threading.Thread(target=worker.run, args=(stop,))
        thread.start()
        with connect(server.url) as client:
            made = Site(worker, server, client)
            # it knows what its last worker left, which it asks for once the camera runs
            wait_for(lambda: made.taken > 2 and client.exists(memory_key("gate")))
            yield made
        stop.set()
        thread.join()


def wait_for(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Lines of warnings and errors, without how long the outage was."""
    return [r.message.partition(", after")[0] for r in caplog.records if r.levelno >= 30]


@pytest.mark.parametrize("code", WAYS)
def test_refused_writes_are_one_line_and_lose_nothing(
    site: Site, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    worker = site.worker
    wait_for(lambda: worker.state().not_ready() == [])
    caplog.set_level(logging.INFO)
    caplog.clear()
    camera, url = worker.cameras["gate"], f"Redis unix://{site.server.socket}"
    with refusing(site.client, code):
        wait_for(lambda: worker.state().not_ready())
        for _ in range(20):
            time.sleep(0.1)
            assert worker.state().not_ready() == [f"redis: {url}: {WORDS[code]}"], "all the while"
        assert not worker.state().outbox.connected
    taken = site.taken
    wait_for(lambda: worker.state().not_ready() == [] and site.taken > taken + 20)
    assert said(caplog) == [f"{url}: {WORDS[code]}; {CONSEQUENCE}", f"{url}: back"]
    assert worker.cameras["gate"] is camera
    assert worker.outbox.state.lost.get("gate", 0) == 0
    assert site.client.exists(PROBE) == 0
    seqs = [
        json.loads(f[b"json"])["counts"] for _, f in entries(site.client, key("gate", "detections"))
    ]
    published = [counts["published"] for counts in seqs]
    assert published == list(range(published[0], published[0] + len(published)))


def test_a_server_that_goes_is_one_line(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    wait_for(lambda: site.worker.state().not_ready() == [])
    caplog.clear()
    site.server.options = ()  # its folder is gone
    site.server.kill()
    wait_for(lambda: "nothing listens" in caplog.text or "no such socket" in caplog.text)
    time.sleep(1.0)
    site.server.start()
    wait_for(lambda: site.worker.state().not_ready() == [] and ": back" in caplog.text)
    first, *rest = said(caplog)
    assert first.endswith(f"; {CONSEQUENCE}")
    assert [line for line in rest if "Redis lost" not in line] == [
        f"Redis unix://{site.server.socket}: back"
    ]


@pytest.mark.parametrize("keys", [[CAMERAS], [CAMERAS, CAMERAS_VERSION], [CAMERAS_VERSION], []])
def test_cameras_run_on_when_redis_loses_them(
    site: Site, caplog: pytest.LogCaptureFixture, keys: list[str]
) -> None:
    worker = site.worker
    wait_for(lambda: worker.state().not_ready() == [] and site.client.exists(CAMERAS))
    camera = worker.cameras["gate"]
    before = site.client.hgetall(CAMERAS)
    caplog.clear()
    if keys:
        site.client.delete(*keys)
    else:
        site.client.flushall()
    wait_for(lambda: site.client.hgetall(CAMERAS) == before and site.client.exists(CAMERAS_VERSION))
    taken = site.taken
    wait_for(lambda: site.taken > taken + 5)
    assert worker.cameras["gate"] is camera

    def lost() -> list[str]:
        return [line for line in said(caplog) if line.startswith("Redis lost cameras")]

    wait_for(lambda: lost() or keys == [CAMERAS_VERSION])  # it is said when they are there again
    assert len(lost()) == (keys != [CAMERAS_VERSION])

"""A worker that loses its name to another, and has it again: what it runs, says and publishes."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
import redis

from mirante.keys import key, lease_key, owner_key
from pipeline.config.settings import Settings
from pipeline.control.lease import LeaseTakenError
from pipeline.control.registry import Registry, connect
from pipeline.gst.camera import CameraRunner
from pipeline.worker.metrics_server import MetricsServer
from pipeline.worker.redis_server import RedisServer
from pipeline.worker.tenancy import Standing, Tenancy
from pipeline.worker.worker import TICK_S, Worker
from tests.support import running_worker
from tests.support.redis_entries import entries

pytestmark = pytest.mark.redis
CAMERA = {"url": "test://?size=320x180&fps=10", "stages": []}
NAMES = ("gate", "yard")
WORDS = "standby: another worker runs this name"
OTHER = json.dumps({"host": "elsewhere", "pid": 7, "token": "other"})


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    with connect(redis_server.url) as client:
        yield client


def running(redis_server: RedisServer, standby: bool = False) -> AbstractContextManager[Worker]:
    kept = {"retention": {"detections_s": 600}}  # frames of before, however long all takes
    settings = Settings.model_validate({"redis": kept, "cameras": dict.fromkeys(NAMES, CAMERA)})
    worker = Worker(settings, redis_server.url, CameraRunner, standby=standby)
    return running_worker.running(worker)


def wait_for(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def page(server: MetricsServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{server.host}:{server.port}{path}") as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def states(worker: Worker) -> set[str]:
    return {camera.state for camera in worker.state().cameras.values()}


def epochs(client: redis.Redis) -> list[int]:
    found = entries(client, key("gate", "detections"))
    return list(dict.fromkeys(json.loads(fields[b"json"])["epoch"] for _, fields in found))


def test_a_worker_that_lost_its_name_stands_by(
    redis_server: RedisServer, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    with running(redis_server) as worker, MetricsServer("127.0.0.1", 0, worker.state) as server:
        wait_for(lambda: states(worker) == {"running"})
        wait_for(lambda: page(server, "/readyz") == (200, "ready\n"))
        assert "mirante_standby 0.0" in page(server, "/metrics")[1]
        Registry(client).pause("yard")
        wait_for(lambda: worker.state().cameras["yard"].reason == "paused")
        client.set(lease_key("main"), OTHER)
        client.set(owner_key("gate"), "main:other.1")
        before = entries(client, key("gate", "detections"))
        wait_for(lambda: states(worker) == {"standby"})
        assert page(server, "/readyz") == (503, f"{WORDS}\n")
        metrics = page(server, "/metrics")[1]
        assert "mirante_standby 1.0" in metrics
        assert 'mirante_camera_state{camera="gate",state="standby"} 1.0' in metrics
        wait_for(lambda: worker.cameras == {})
        assert f"{WORDS} (process 7 on elsewhere)" in caplog.text
        Registry(client).resume("yard")  # as the other worker would be told
        time.sleep(4 * TICK_S)
        assert entries(client, key("gate", "detections")) == before
        assert worker.cameras == {}
        client.delete(lease_key("main"))
        wait_for(lambda: states(worker) == {"running"})
        wait_for(lambda: page(server, "/readyz") == (200, "ready\n"))
        wait_for(lambda: len(epochs(client)) == 2)
        assert epochs(client) == sorted(epochs(client))
    assert not client.exists(lease_key("main"))


def test_one_that_is_to_stand_by_waits_for_its_name(
    redis_server: RedisServer, client: redis.Redis
) -> None:
    client.set(lease_key("main"), OTHER)
    with running(redis_server, standby=True) as worker:
        wait_for(lambda: worker.state().not_ready() == [WORDS])
        assert set(worker.state().cameras) == {"gate", "yard"}
        client.delete(lease_key("main"))
        wait_for(lambda: states(worker) == {"running"})


def test_one_whose_name_may_be_held_by_the_dead_waits(client: redis.Redis) -> None:
    client.set(lease_key("main"), OTHER, px=9_000)
    tenancy = Tenancy(client, "main")
    assert tenancy.poll() is Standing.WAITING
    assert tenancy.standing.why_not_ready == "waiting: a worker of this name may run elsewhere"
    assert tenancy.poll() is Standing.WAITING
    client.pexpire(lease_key("main"), 12_000)
    with pytest.raises(LeaseTakenError):
        tenancy.poll()


def test_a_doubt_of_the_sender_is_looked_into_at_once(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.control.lease.RENEW_S", 600.0)
    tenancy = Tenancy(client, "main")
    assert tenancy.poll() is Standing.HELD
    client.set(lease_key("main"), OTHER)
    assert tenancy.poll() is Standing.HELD, "it is not time to ask yet"
    tenancy.tenure.doubted = True
    assert tenancy.poll() is Standing.STANDBY
    client.delete(lease_key("main"))
    assert tenancy.poll() is Standing.HELD


def freed_by_an_outage(client: redis.Redis, tenancy: Tenancy) -> None:
    client.set(lease_key("main"), OTHER)
    assert tenancy.poll() is Standing.STANDBY
    client.delete(lease_key("main"))
    client.config_set("maxmemory", 1)
    try:
        for _ in range(2):
            with pytest.raises(redis.RedisError, match="maxmemory"):
                tenancy.poll()
    finally:
        client.config_set("maxmemory", 0)
    assert tenancy.poll() is Standing.STANDBY, "its holder could not renew it either"


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is free is left to its holder for longer than a test takes."""
    monkeypatch.setattr("pipeline.worker.tenancy.SPARE_S", 600.0)


@pytest.mark.usefixtures("patient")
def test_a_name_that_an_outage_freed_is_left_to_its_holder(client: redis.Redis) -> None:
    tenancy = Tenancy(client, "main", standby=True)
    freed_by_an_outage(client, tenancy)
    client.set(lease_key("main"), OTHER)
    assert tenancy.poll() is Standing.STANDBY
    client.delete(lease_key("main"))
    assert tenancy.poll() is Standing.HELD, "its holder was here since, and gave it up"


@pytest.mark.usefixtures("patient")
def test_a_name_for_which_nobody_comes_back_is_taken(client: redis.Redis) -> None:
    tenancy = Tenancy(client, "main", standby=True)
    freed_by_an_outage(client, tenancy)
    tenancy._spared_s -= 600.0
    assert tenancy.poll() is Standing.HELD


@pytest.mark.usefixtures("patient")
def test_a_name_that_redis_lost_with_all_else_is_left_to_its_holder(client: redis.Redis) -> None:
    cameras = Registry(client, "main")
    cameras.put("gate", {"url": "test://"})
    client.set(lease_key("main"), OTHER)
    tenancy = Tenancy(client, "main", standby=True)
    assert [tenancy.poll(), tenancy.poll()] == [Standing.STANDBY] * 2
    client.flushall()
    cameras.put("gate", {"url": "test://"})  # as its holder does, before it asks for its name
    assert tenancy.poll() is Standing.STANDBY
    tenancy._spared_s -= 600.0
    assert tenancy.poll() is Standing.HELD, "nobody came back"

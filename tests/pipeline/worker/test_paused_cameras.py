"""Cameras that rest: what a worker in this process does and tells, over a real Redis."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
import redis

from mirante.keys import key
from pipeline.config.settings import Settings
from pipeline.control.registry import Registry, connect
from pipeline.control.reports import reports
from pipeline.gst.camera import CameraRunner
from pipeline.worker.redis_server import RedisServer
from pipeline.worker.worker import Worker
from tests.support import running_worker
from tests.support.redis_entries import entries

pytestmark = pytest.mark.redis
CAMERA = {"url": "test://?size=320x180&fps=10", "stages": []}


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    with connect(redis_server.url) as client:
        yield client


def running(redis_server: RedisServer, **cameras: object) -> AbstractContextManager[Worker]:
    settings = Settings.model_validate({"cameras": cameras})
    return running_worker.running(Worker(settings, redis_server.url, CameraRunner))


def wait_for(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def told(client: redis.Redis, camera: str) -> list[tuple[str, str]]:
    """State and reason of every message of its status stream, in order."""
    found = [json.loads(fields[b"json"]) for _, fields in entries(client, key(camera, "status"))]
    return [(entry["state"], entry["reason"]) for entry in found]


def reported(client: redis.Redis) -> dict[str, str]:
    """Reasons by camera in the worker's report; none before the first."""
    report = reports(client).get("main")
    return {name: camera.reason for name, camera in report.cameras.items()} if report else {}


STOPPED = ("stopped", "paused")
STARTED = [("connecting", "first attempt"), ("running", "frames arrive")]


def test_a_pause_stops_one_camera_until_it_is_resumed(
    redis_server: RedisServer, client: redis.Redis
) -> None:
    with running(redis_server, gate=CAMERA, yard=CAMERA) as worker:
        wait_for(lambda: told(client, "gate") == told(client, "yard") == STARTED)
        Registry(client).pause("gate")
        wait_for(lambda: told(client, "gate") == [*STARTED, STOPPED])
        assert list(worker.cameras) == ["yard"]
        assert worker.state().cameras["gate"].counts is None
        wait_for(lambda: worker.state().not_ready() == [])
        wait_for(lambda: reported(client) == {"gate": "paused", "yard": "frames arrive"})
        Registry(client).put("shed", CAMERA)  # anything else that changes
        wait_for(lambda: told(client, "shed") == STARTED)
        assert told(client, "gate") == [*STARTED, STOPPED], "it was told twice"
        Registry(client).resume("gate")
        wait_for(lambda: told(client, "gate") == [*STARTED, STOPPED, *STARTED])
        wait_for(lambda: worker.state().cameras["gate"].counts is not None)
        assert told(client, "yard") == STARTED, "another camera was touched"


def test_a_pause_outlives_the_worker_and_what_redis_held(
    redis_server: RedisServer, client: redis.Redis
) -> None:
    with running(redis_server, gate=CAMERA):
        wait_for(lambda: told(client, "gate") == STARTED)
        Registry(client).pause("gate")
        wait_for(lambda: told(client, "gate") == [*STARTED, STOPPED])
    with running(redis_server, gate=CAMERA) as worker:
        wait_for(lambda: told(client, "gate") == [*STARTED, STOPPED, STOPPED])
        assert worker.cameras == {}
        client.flushall()
        wait_for(lambda: told(client, "gate") == [STOPPED, STOPPED])  # sent again, and said again
        assert worker.cameras == {}
        assert Registry(client).cameras()["gate"].paused


def test_a_camera_that_cannot_run_is_paused_too(
    redis_server: RedisServer, client: redis.Redis
) -> None:
    with running(redis_server):
        Registry(client).put("gate", {"url": "rtsp://me:${NOT_SET_ANYWHERE}@h/x"})
        wait_for(lambda: told(client, "gate"))
        assert told(client, "gate")[-1][0] == "failed"
        Registry(client).pause("gate")
        wait_for(lambda: told(client, "gate")[-1] == STOPPED)
        Registry(client).resume("gate")
        wait_for(lambda: told(client, "gate")[-1][0] == "failed")
        Registry(client).edit("gate", CAMERA)
        wait_for(lambda: told(client, "gate")[-2:] == STARTED)


@pytest.mark.own_redis
def test_cameras_run_on_and_reports_come_back_after_redis_was_away(
    redis_server: RedisServer, client: redis.Redis
) -> None:
    with running(redis_server, gate=CAMERA) as worker:
        wait_for(lambda: reports(client).get("main"))
        wait_for(lambda: told(client, "gate") == STARTED)
        at = reports(client)["main"].at
        assert redis_server.pid is not None
        os.kill(redis_server.pid, signal.SIGKILL)
        before = worker.cameras["gate"].ledger.counts()[0].published
        wait_for(lambda: worker.cameras["gate"].ledger.counts()[0].published > before + 3)

        def came_back() -> bool:
            try:
                report = reports(client).get("main")
            except redis.RedisError:
                return False
            return report is not None and report.at > at

        wait_for(came_back)

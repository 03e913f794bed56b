"""The API over a real Redis, with a camera that publishes and a worker that says it lives."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import redis
import uvicorn
from fastapi import FastAPI

from dashboard.access import Access
from dashboard.app import make_app, make_services
from dashboard.services import Services
from mirante import Counts, Detections, FrameResult, Mask, Status
from pipeline.config.dashboard import Dashboard
from pipeline.control.build_report import BuildReport
from pipeline.control.credentials import Credentials
from pipeline.control.outbox_report import OutboxReport
from pipeline.control.registry import connect
from pipeline.control.reports import (
    CameraReport,
    MachineReport,
    ModelReport,
    ProcessReport,
    WorkerReport,
    ZooReport,
    publish,
)
from pipeline.worker.redis_server import RedisServer
from plugins.outbox.outbox import Outbox
from tests.support.redis_child import RedisChild

BOXES = Detections(
    np.array([[10, 20, 110, 220], [300, 40, 420, 300]], np.float32),
    np.array([0.9, 0.8], np.float32),
    np.array([0, 1], np.int32),
    ("person", "car"),
)
PLANE = np.zeros((1, 24, 32), bool)
PLANE[:, 10:, 4:20] = True
MASK = Mask.from_planes(("lane",), PLANE, (0, 0, 1280, 720), "road")
ZOO = (
    ZooReport(
        name="street",
        task="detect",
        labels=("person", "car"),
        licence="Apache-2.0",
        runs_on="frame",
        ready=True,
    ),
)
REPORT = WorkerReport(
    worker="main",
    at=0,
    started=0,
    pid=1,
    host="here",
    version="0",
    process=ProcessReport(cpu_percent=50, rss_bytes=1, threads=9),
    machine=MachineReport(cpu_percent=9, cores=2, memory_bytes=2, memory_used_bytes=1),
    gpus=(),
    outbox=OutboxReport(connected=True, words="", depth=0, sent=0, lost={}, refused=0),
    cameras={},
    models=(
        ModelReport(
            name="street",
            runs="street",
            runtime="onnxruntime",
            precision="fp32",
            parity="",
            before=(),
        ),
    ),
    builds={"street": BuildReport("building", "tactics", 0.5)},
    zoo=ZOO,
    defaults={"stages": [{"model": "street"}]},
)

_LASTING_S = 3600


@dataclass
class Bench:
    """What a test of the API needs.

    Attributes:
        http: a client of the server.
        services: what the server's routes share.
        redis: a client of its Redis.
        outbox: publishes.
        server: the Redis.
        app: that is served.
    """

    http: httpx.Client
    services: Services
    redis: redis.Redis
    outbox: Outbox
    server: RedisServer | RedisChild
    app: FastAPI
    numbers: dict[str, int] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Of the server, without a path."""
        return str(self.http.base_url).rstrip("/")

    def frame(self, camera: str = "gate", epoch: int = 1000, **changes: Any) -> FrameResult:
        """Publishes the next frame of a camera: one of two decoded is dropped by rate."""
        number = self.numbers.get(camera, 0)
        self.numbers[camera] = number + 1
        made = FrameResult(
            camera,
            2 * number,
            epoch,
            time.time_ns(),
            "arrival",
            1280,
            720,
            detections=BOXES,
            timings={"infer": 20.5},
            counts=Counts(2 * number + 1, number + 1, {"rate": number}, 0),
        )
        made = replace(made, **changes)
        self.outbox.publish(made)
        return made

    def status(
        self, state: Any = "running", reason: str = "frames arrive", code: str | None = None
    ) -> None:
        """Says the state of the camera gate."""
        now_s = time.time()
        self.outbox.status(
            Status(camera="gate", state=state, reason=reason, ts=now_s, since=now_s - 5, code=code)
        )

    def worker(self, **cameras: Counts) -> None:
        """A worker lives and reports."""
        told = {
            name: CameraReport(state="running", reason="", counts=counts, in_flight=0, detections=0)
            for name, counts in cameras.items()
        }
        self.redis.set("mirante:worker:main", "{}")
        publish(self.redis, replace_report(at=time.time(), cameras=told))

    def until(self, condition: Any, timeout_s: float = 60.0) -> Any:
        """Waits for something to come true, and gives it."""
        end_s = time.monotonic() + timeout_s
        while time.monotonic() < end_s:
            if value := condition():
                return value
            time.sleep(0.02)
        raise AssertionError(f"not within {timeout_s} s")

    def camera(self, name: str = "gate") -> dict[str, Any]:
        """The camera as the API describes it."""
        return dict(self.http.get(f"/api/v1/cameras/{name}").raise_for_status().json())


def replace_report(**changes: Any) -> WorkerReport:
    """The report with some of it changed."""
    import msgspec

    return msgspec.structs.replace(REPORT, **changes)


@contextmanager
def serving(
    server: RedisServer | RedisChild, folder: Path, user: str = "", **dashboard: Any
) -> Iterator[Bench]:
    """The whole application on a free port, as a user of Redis where one is named.

    What tests report once of a worker or a fleet is not held to be old while they run.
    """
    credentials = Credentials(folder / "credentials.json")
    settings = Dashboard.model_validate(dashboard)
    address = server.url.replace("://", f"://{user}:PASSWORD@") if user else server.url
    services = make_services(address, settings, Access(settings), credentials)
    app = make_app(services)
    # uvicorn's log configuration would close the handlers of others: pytest's capture with them.
    config = uvicorn.Config(app, port=0, log_config=None, log_level="warning", lifespan="on")
    web = uvicorn.Server(config)
    thread = threading.Thread(target=web.run)
    thread.start()
    outbox = Outbox(server.url)
    outbox.start()
    lasting = pytest.MonkeyPatch()
    lasting.setattr("pipeline.control.reports.KEPT_MS", _LASTING_S * 1000)
    lasting.setattr("pipeline.control.fleet_report.AWAY_S", _LASTING_S)
    try:
        while not web.started:
            time.sleep(0.01)
        port = web.servers[0].sockets[0].getsockname()[1]
        with (
            # Without certificates, which take 40 ms to read and which HTTP has no use for.
            httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, verify=False) as http,
            connect(server.url) as client,
        ):
            yield Bench(http, services, client, outbox, server, app)
    finally:
        lasting.undo()
        outbox.close(1)
        web.should_exit = True
        thread.join(20)


@contextmanager
def curl(*arguments: str) -> Iterator[Iterator[str]]:
    """Give the lines that curl prints of an address of the server, as they come."""
    command = ["curl", "-sN", "--max-time", "60", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield (line.rstrip("\n") for line in process.stdout)
        finally:
            process.kill()

"""Cameras that name no stages in a worker of this process, over a real Redis."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from typer.testing import CliRunner

from engines.store.models import store
from mirante.keys import key
from pipeline.cli.app import make_app
from pipeline.config import choosing
from pipeline.config.camera import Camera
from pipeline.config.settings import Settings
from pipeline.control.credentials import Credentials
from pipeline.control.registry import Registry, connect
from pipeline.control.reports import WorkerReport, reports
from pipeline.control.trials import Trial, ask_trial
from pipeline.gst.camera import CameraRunner
from pipeline.worker.camera import HELD
from pipeline.worker.process import run_worker
from pipeline.worker.redis_server import RedisServer
from pipeline.worker.trials import KILL_S, run_trial
from pipeline.worker.worker import Worker
from tests.support.redis_entries import entries
from tests.support.stand_in import StandIn, file_server

pytestmark = [pytest.mark.redis, pytest.mark.slow]
URL = "test://?size=320x180&fps=1"
NAMED = {"url": URL, "stages": [{"model": "test-boxes"}]}
FACES = {"preview": {"blur": ["face"]}}
WORDS = "street: fewer objects found than with yolox-street; put objects.onnx into"


@pytest.fixture
def stand_in(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    del home
    return StandIn(tmp_path, monkeypatch)


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    with connect(redis_server.url) as client:
        yield client


def wait_for(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


@contextmanager
def running(redis_server: RedisServer, **cameras: object) -> Iterator[Worker]:
    """A worker as ``mirante up`` runs it."""
    off = {"port": None}
    where = {"redis": {"url": redis_server.url}, "metrics": off, "dashboard": off}
    settings = Settings.model_validate(where | {"cameras": cameras})
    stop, started = threading.Event(), threading.Event()
    workers: list[Worker] = []

    def on_start(worker: Worker, _url: str, _page: str | None) -> None:
        workers.append(worker)
        started.set()

    thread = threading.Thread(
        target=run_worker,
        args=(settings, CameraRunner),
        kwargs={"stop": stop, "on_start": on_start},
    )
    thread.start()
    try:
        assert started.wait(60)
        yield workers[0]
    finally:
        stop.set()
        thread.join()


def states(worker: Worker) -> dict[str, str]:
    return {name: camera.state for name, camera in worker.state().cameras.items()}


def models_of(worker: Worker, camera: str) -> list[str]:
    return [use.name for use in worker.cameras[camera].spec.models()]


def report(client: redis.Redis) -> WorkerReport:
    wait_for(lambda: "main" in reports(client))
    return reports(client)["main"]


def chosen_objects(told: WorkerReport) -> str | None:
    choice = told.standard and told.standard.objects
    return choice.runs if choice else None


@pytest.mark.parametrize("is_here", [True, False])
def test_they_run_what_can_be_had(
    stand_in: StandIn,
    redis_server: RedisServer,
    client: redis.Redis,
    caplog: pytest.LogCaptureFixture,
    is_here: bool,
) -> None:
    if is_here:
        stand_in.put(store())
    objects = "yolox-street" if is_here else "street"
    with running(redis_server, gate={"url": URL}, yard={"url": URL, **FACES}) as worker:
        wait_for(lambda: states(worker) == dict.fromkeys(("gate", "yard"), "running"))
        Registry(client).put("late", {"url": URL})
        wait_for(lambda: states(worker).get("late") == "running")
        assert models_of(worker, "gate") == models_of(worker, "late") == [objects]
        assert models_of(worker, "yard") == ([objects, "yunet"] if is_here else [objects])
        wait_for(lambda: chosen_objects(report(client)))
        told = report(client)
        listed = CliRunner().invoke(make_app(), ["camera", "list", "--redis", redis_server.url])
    assert re.search(rf"^late .* {objects}, bytetrack +api", listed.stdout, re.MULTILINE), (
        listed.output
    )
    assert chosen_objects(told) == objects
    assert told.defaults["stages"] == [{"model": objects}, {"track": "bytetrack"}]
    assert told.stages_of({"url": URL}) == told.defaults["stages"]
    assert "stages" not in Registry(client).cameras()["gate"].spec
    assert caplog.text.count(WORDS) == (0 if is_here else 1), "once, however many cameras"


def test_none_waits_for_another_ones_file(
    stand_in: StandIn,
    redis_server: RedisServer,
    client: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(choosing, "LIMIT_S", 100.0)
    with file_server() as server:
        stand_in.publish(f"{server.url}/slow")
        with running(redis_server, gate=NAMED, yard={"url": URL}) as worker:
            wait_for(lambda: states(worker).get("gate") == "running")
            assert worker.state().cameras["yard"] == HELD
            assert worker.state().not_ready() == [f"camera yard: connecting: {HELD.reason}"]
            Registry(client).put("late", {"url": URL})
            wait_for(lambda: worker.state().cameras.get("late") == HELD)
            Registry(client).remove("late")
            wait_for(lambda: "late" not in worker.state().cameras)
            server.over.set()
            wait_for(lambda: states(worker) == dict.fromkeys(("gate", "yard"), "running"))
            assert models_of(worker, "yard") == ["street"]
            wait_for(lambda: len(said(client, "yard")) == 3)
    assert said(client, "yard")[:2] == [HELD.reason, "first attempt"]
    assert "looking" not in "".join(said(client, "gate"))


def said(client: redis.Redis, camera: str) -> list[str]:
    """Reasons of the camera's status, in order."""
    return [json.loads(f[b"json"])["reason"] for _, f in entries(client, key(camera, "status"))]


def test_a_model_that_is_named_is_not_replaced(
    stand_in: StandIn, redis_server: RedisServer, client: redis.Redis
) -> None:
    del stand_in
    with running(redis_server, gate={"url": URL}) as worker:
        Registry(client).put("named", {"url": URL, "stages": [{"model": "yolox-street"}]})
        wait_for(lambda: states(worker) == {"gate": "running", "named": "failed"})
        reason = worker.state().cameras["named"].reason
    assert "objects.onnx is not available anywhere" in reason


@pytest.mark.usefixtures("tried_here")
def test_a_trial_tells_what_it_ran(
    stand_in: StandIn, redis_server: RedisServer, client: redis.Redis
) -> None:
    del stand_in
    with running(redis_server):
        trial = ask_trial(client, Credentials(), "new", {"url": URL}, "main", timeout_s=60)
    assert trial.connected, trial.words
    assert trial.models == ["street"]
    assert trial.less is not None
    assert trial.less.wanted == "yolox-street"


@pytest.mark.parametrize("is_here", [True, False])
def test_the_command_tells_what_it_ran(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, is_here: bool
) -> None:
    seen = Trial(connected=True, words="connected", seconds=1.0, size=(320, 180))
    monkeypatch.setattr("pipeline.worker.trials._tried", lambda *_: seen)
    if is_here:
        stand_in.put(store())
    done = CliRunner().invoke(make_app(), ["camera", "test", URL])
    assert done.exit_code == 0, done.output
    assert f"models: {'yolox-street' if is_here else 'street'}" in done.stdout.splitlines()
    assert (WORDS in done.stderr) is not is_here


def test_a_trial_has_the_time_that_the_choice_left(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    del stand_in
    given: list[float] = []

    def run(*_: Any, timeout: float, **__: Any) -> Any:
        given.append(timeout)
        raise OSError("no process is started here")

    def settle_slowly(camera: Camera, _folder: Path | None) -> Camera:
        time.sleep(0.3)
        return camera

    monkeypatch.setattr("pipeline.worker.trials.subprocess.run", run)
    monkeypatch.setattr("pipeline.worker.trials.settle", settle_slowly)
    camera = Settings.model_validate({"cameras": {"gate": NAMED}}).cameras["gate"]
    with pytest.raises(OSError, match="no process"):
        run_trial("gate", camera)
    assert given[0] <= KILL_S - 0.3

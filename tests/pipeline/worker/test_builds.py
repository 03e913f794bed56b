"""What becomes of a worker's models when the process that builds their engine fails."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from engines.serving import Models
from pipeline.config.engine import Engine
from pipeline.control.build_report import BuildReport
from pipeline.worker import builds as engine_builds
from pipeline.worker.builds import EngineBuilds
from plugins.infer.stage import InferStage
from tests.support.engine_builds import show, show_until, stand_in, waiting_stage
from tests.support.live_site import until

pytestmark = pytest.mark.slow

pytest.importorskip("openvino", reason="the engines are OpenVINO's")

PICTURE = np.full((360, 640, 3), 90, np.uint8)
Child = Callable[[str], None]


@pytest.fixture
def models() -> Models:
    return Models()


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, models: Models) -> InferStage:
    return waiting_stage(monkeypatch, tmp_path / "home", models)


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Child:
    """Another program in the place of ``python -m engines.builder``."""

    def say(program: str) -> None:
        imports = "import json, os, signal, sys, time"
        stand_in(monkeypatch, tmp_path / "child", f"{imports}\n{program}")

    return say


@pytest.fixture
def builds(models: Models) -> Iterator[EngineBuilds]:
    made = EngineBuilds(Engine(runtime="openvino"), models)
    yield made
    made.close()


def frame(stage: InferStage) -> None:
    show(stage, PICTURE)


def has_ended(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def run_until(builds: EngineBuilds, stage: InferStage, state: str) -> BuildReport:
    """Frames continue until the build is in that state."""
    builds.prepare(["test-boxes"])
    builds.start()
    return show_until(builds, stage, PICTURE, state, timeout_s=60)


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ('print(json.dumps({"failed": "node x: no such op", "kind": "BuildError"}))', "node x: no"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "ended with status -9"),
        ('print("noise"); print("[1]"); sys.exit(3)', "ended with status 3"),
        ('print(json.dumps({"manifest": "m", "key": "k"}))', "is not in the store"),
    ],
)
def test_the_model_runs_on_and_it_is_said_once(
    builds: EngineBuilds,
    stage: InferStage,
    child: Child,
    caplog: pytest.LogCaptureFixture,
    program: str,
    words: str,
) -> None:
    child(program)
    with caplog.at_level(logging.ERROR):
        said = run_until(builds, stage, "failed")
    assert words in said.words
    assert [words in record.message for record in caplog.records] == [True]
    builds.want(["test-boxes"])  # no second try
    assert builds.states["test-boxes"] == said
    assert stage.model.manifest.runs_on == "onnxruntime"
    assert builds.models.in_use()[0].runs == "test-boxes"
    frame(stage)


def test_a_child_that_hangs_is_ended(
    builds: EngineBuilds, stage: InferStage, child: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_builds, "SILENT_S", 0.3)
    child('print(json.dumps({"share": 0.1, "doing": "x"}), flush=True); time.sleep(600)')
    assert "ended with status -9" in run_until(builds, stage, "failed").words


def test_a_stop_takes_the_child_along(
    builds: EngineBuilds, stage: InferStage, child: Child, caplog: pytest.LogCaptureFixture
) -> None:
    child('print(json.dumps({"share": 0.25, "doing": "tactics"}), flush=True); time.sleep(600)')
    run_until(builds, stage, "building")
    until(lambda: builds.states["test-boxes"].words == "tactics")
    said = builds.states["test-boxes"]
    assert (said.state, said.share) == ("building", 0.25)
    running: Any = builds._child
    builds.close()
    assert running.poll() == -9
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_it_is_said_how_far_it_is_and_since_when_and_where_nobody_knows(
    builds: EngineBuilds, stage: InferStage, child: Child, tmp_path: Path
) -> None:
    """A step that tells nothing has no share, and a step's time begins with it."""
    go = tmp_path / "go"
    child(
        "def say(**said): print(json.dumps(said), flush=True)\n"
        'say(share=0.2, doing="tactics")\n'
        f"while not os.path.exists({str(go)!r}): time.sleep(0.02)\n"
        'say(share=0.6, doing="tactics")\n'
        f"while os.path.exists({str(go)!r}): time.sleep(0.02)\n"
        'say(share=None, doing="comparing")\n'
        "time.sleep(600)"
    )
    began = time.time()
    run_until(builds, stage, "building")

    def told() -> BuildReport:
        return builds.states["test-boxes"]

    until(lambda: told().share == 0.2)
    first = told()
    assert first.since is not None
    assert began <= first.since <= time.time()
    go.touch()
    until(lambda: told().share == 0.6)
    assert told() == BuildReport("building", "tactics", 0.6, first.since)
    go.unlink()
    until(lambda: told().words == "comparing")
    assert told().share is None
    assert (told().since or 0.0) > first.since


def test_a_stop_before_there_is_a_child_leaves_none(
    builds: EngineBuilds, stage: InferStage, child: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    child("time.sleep(600)")
    begun: list[subprocess.Popen[str]] = []
    popen = subprocess.Popen

    def slow(*arguments: Any, **keys: Any) -> Any:
        builds._stop.set()  # as close does, when there is nothing yet that it could end
        begun.append(popen(*arguments, **keys))
        return begun[-1]

    monkeypatch.setattr(subprocess, "Popen", slow)
    builds.prepare(["test-boxes"])
    builds.start()
    until_s = time.monotonic() + 60
    while builds._thread.is_alive():
        assert time.monotonic() < until_s, "it waits for the child"
        frame(stage)
        time.sleep(0.01)
    assert begun[0].poll() == -9


def test_the_child_ends_with_a_worker_that_is_killed(tmp_path: Path) -> None:
    request = tmp_path / "request.json"
    os.mkfifo(request)  # whose reader waits
    worker = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-m', 'engines.builder',\n"
        f"    f'--parent={{os.getpid()}}', {str(request)!r}])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", worker], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        builder = psutil.Process(int(parent.stdout.readline()))
        with request.open("w"):  # it reads now
            parent.kill()
            parent.wait()
            until(lambda: has_ended(builder), 60, "for it to end with its worker")


def test_what_was_chosen_by_hand_stays_though_the_child_goes_on(
    builds: EngineBuilds, stage: InferStage, child: Child, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    child(
        'print(json.dumps({"share": 0.1, "doing": "x"}), flush=True)\n'
        f"while not os.path.exists({str(go)!r}): time.sleep(0.02)\n"
        'print(json.dumps({"share": 0.2, "doing": "y"}), flush=True)\n'
        'print(json.dumps({"manifest": "m", "key": "k"}))'
    )
    run_until(builds, stage, "building")
    builds.leave("test-boxes")
    assert builds.is_building()
    go.touch()
    until(lambda: not builds.is_building())
    builds.close()
    assert builds.states == {}
    assert builds.models.in_use()[0].runs == "test-boxes"


def test_a_model_that_sees_nothing_keeps_no_other_waiting(
    builds: EngineBuilds, stage: InferStage, child: Child
) -> None:
    child('print(json.dumps({"failed": "as asked"}))')
    builds.prepare(["test-lane"])  # no stage runs it
    assert "as asked" in run_until(builds, stage, "failed").words
    assert builds.states["test-lane"].state == "collecting"


def test_frames_are_for_the_child_alone_and_gone_afterwards(
    builds: EngineBuilds, stage: InferStage, child: Child, tmp_path: Path
) -> None:
    child(
        "folder = os.path.dirname(sys.argv[-1]); request = json.load(open(sys.argv[-1]))\n"
        f'json.dump([folder, oct(os.stat(folder).st_mode), request], open("{tmp_path}/saw", "w"))\n'
        "import numpy\n"
        'frames = numpy.load(request["frames"])\n'
        'print(json.dumps({"failed": f"{len(frames)} of {frames[frames.files[0]].shape}"}))'
    )
    assert "2 of (360, 640, 3)" in run_until(builds, stage, "failed").words
    import json

    folder, mode, request = json.loads((tmp_path / "saw").read_text())
    assert mode.endswith("700")
    assert (request["model"], request["runtime"]) == ("test-boxes", "openvino")
    assert not Path(folder).exists()


def test_without_a_runtime_nothing_is_built(stage: InferStage) -> None:
    builds = EngineBuilds(Engine(runtime=None), Models())
    builds.prepare(["test-boxes"])
    builds.want(["street"])
    builds.start()
    builds.close()
    assert builds.states == {}


def test_a_store_that_cannot_be_written_stops_no_start(
    builds: EngineBuilds, stage: InferStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when an engine is found, and its labels have changed since."""

    def refuse(_model: str) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), "/there/manifest.yaml")

    monkeypatch.setattr(builds, "_find", refuse)
    builds.prepare(["test-boxes"])
    builds.want(["test-boxes"])
    said = builds.states["test-boxes"]
    assert said.state == "failed"
    assert said.words.endswith("Read-only file system: '/there/manifest.yaml'")
    frame(stage)

"""``engine.runtime: auto``: what a worker does with the verdict of the process that measures."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

import mirante
from engines.builder.build import Engine as Built
from engines.builder.build import build
from engines.serving import Models
from engines.store.verdicts import Measured, Verdict
from pipeline.cameras.synthetic import picture
from pipeline.config.engine import Engine
from pipeline.config.settings import Settings
from pipeline.gst.camera import CameraRunner
from pipeline.worker import builds as engine_builds
from pipeline.worker import engine_choice
from pipeline.worker.builds import EngineBuilds
from pipeline.worker.redis_server import RedisServer
from pipeline.worker.worker import Worker
from plugins.infer.stage import InferStage
from tests.support import MEASURES, ROOT
from tests.support.built_engines import ask, save_pictures, synthetic
from tests.support.engine_builds import show, show_until, stand_in, waiting_stage
from tests.support.live_site import until
from tests.support.running_worker import running

pytestmark = pytest.mark.slow

pytest.importorskip("openvino", reason="there is no choice without it")
pytest.importorskip("onnxslim", reason='building needs "mirante[build]"')

AS_IT_IS = Measured(runtime="onnxruntime", precision="as published", ms=2.0)
Child = Callable[..., Path]


@pytest.fixture
def models() -> Models:
    return Models()


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, models: Models) -> InferStage:
    return waiting_stage(monkeypatch, tmp_path / "home", models)


@pytest.fixture
def engine(stage: InferStage, tmp_path: Path) -> Built:
    """One that is in the store."""
    del stage
    frames = save_pictures(tmp_path / "proving.npz", synthetic())
    return build(ask("test-boxes", "openvino", frames=frames))


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Child:
    """A process that says a verdict, in the place of the one that measures."""

    def say(verdict: Verdict, after: Path | None = None) -> Path:
        saw = tmp_path / "saw.json"
        said = json.dumps({"verdict": msgspec.to_builtins(verdict)})
        program = (
            "import json, os, sys, time, numpy\n"
            f"while not os.path.exists({str(after or '/')!r}): time.sleep(0.02)\n"
            "asked = json.load(open(sys.argv[-1]))\n"
            "for key in ('frames', 'calibrate'):\n"
            "    if asked[key]:\n"
            "        asked[key] = [list(a.shape) for a in numpy.load(asked[key]).values()]\n"
            f"json.dump([sys.argv[1:], asked], open({str(saw)!r}, 'w'))\n"
            f"print({said!r})"
        )
        stand_in(monkeypatch, tmp_path / "child", program)
        return saw

    return say


@pytest.fixture
def started() -> Iterator[Callable[..., EngineBuilds]]:
    made: list[EngineBuilds] = []

    def start(models: Models, **settings: Any) -> EngineBuilds:
        made.append(EngineBuilds(Engine(**settings), models, threads=3))
        made[-1].prepare(["test-boxes"])
        made[-1].start()
        return made[-1]

    yield start
    for each in made:
        each.close()


def frame(stage: InferStage, number: int | None = 0) -> None:
    """One in which the model finds something, or a grey one."""
    grey = np.full((360, 640, 3), 90, np.uint8)
    show(stage, grey if number is None else picture(number, 640, 360))


def run_until(builds: EngineBuilds, stage: InferStage, state: str) -> str:
    """Frames continue until the build is in that state; its words."""
    return show_until(builds, stage, picture(0, 640, 360), state, timeout_s=60).words


def verdict(*others: Measured, fastest: int) -> Verdict:
    ways = (AS_IT_IS, *others)
    return Verdict(model="test-boxes", facts={}, measured=ways, fastest=fastest, at="now")


def test_the_fastest_takes_over_and_it_is_said(
    stage: InferStage,
    models: Models,
    engine: Built,
    child: Child,
    started: Callable[..., EngineBuilds],
    caplog: pytest.LogCaptureFixture,
) -> None:
    won = Measured(runtime="openvino", precision="fp32", ms=1.0, engine=engine.key)
    lost = Measured(runtime="openvino", precision="int8", words="it finds something else")
    saw = child(verdict(won, lost, fastest=1))
    with caplog.at_level(logging.INFO):
        words = run_until(started(models), stage, "ready")
    assert words == (
        "openvino fp32 is fastest here: openvino fp32 1.0 ms, onnxruntime as published 2.0 ms"
    )
    assert "openvino int8 takes no part: it finds something else" in caplog.text
    assert "takes over" in caplog.text
    assert words in caplog.text
    assert stage.model.manifest.runs_on == "openvino"
    assert models.in_use()[0].before == ("test-boxes",)  # which a rollback brings back
    arguments, asked = json.loads(saw.read_text())
    assert "--contest" in arguments
    assert (asked["threads"], asked["calibrate"], asked["by_cameras"]) == (3, None, False)
    assert asked["frames"] == [[360, 640, 3]] * 2


def test_no_frame_is_lost_or_doubled_as_it_takes_over(
    stage: InferStage,
    engine: Built,
    child: Child,
    redis_server: RedisServer,
    as_configured: None,
    tmp_path: Path,
) -> None:
    del stage, as_configured
    won = Measured(runtime="openvino", precision="fp32", ms=1.0, engine=engine.key)
    child(verdict(won, fastest=1), after=tmp_path / "go")
    camera = {
        "url": f"file:{ROOT / 'tests/support/numbers.h265.mp4'}",
        "pace": "every_frame",  # each waits for the one before it
        "loop": True,
        "stages": [
            {"python": "tests.support.recorded_stages:Unhurried"},
            {"model": "test-boxes"},
        ],
    }
    kept = {"retention": {"detections_s": 600}}  # all frames, however long it takes
    settings = Settings.model_validate({"redis": kept, "cameras": {"drawn": camera}})
    with running(Worker(settings, redis_server.url, CameraRunner)) as worker:

        def published() -> int:
            counts = worker.state().cameras["drawn"].counts
            return 0 if counts is None else counts.published

        until(lambda: "drawn" in worker.state().cameras and published() > 0)
        assert worker.models.in_use()[0].runtime == "onnxruntime"
        (tmp_path / "go").touch()
        until(lambda: worker.models.in_use()[0].runtime == "openvino")
        swapped = published()
        until(lambda: published() >= swapped + 20)
    found = mirante.subscribe(
        "drawn", ("detections",), since="0", redis=redis_server.url, timeout_s=2.0
    )
    seen = [frame for _, frame in zip(range(swapped + 20), found, strict=False)]
    assert [frame.seq for frame in seen] == list(range(swapped + 20))
    assert sum(seen[-1].counts.dropped.values()) + seen[-1].counts.failed == 0
    assert {frozenset(label for label, _, _ in frame.detections) for frame in seen} == {
        frozenset(("red", "green", "blue"))
    }


def test_where_nothing_else_runs_it_is_not_called_fastest(
    stage: InferStage, models: Models, child: Child, started: Callable[..., EngineBuilds]
) -> None:
    child(
        verdict(
            Measured(runtime="openvino", precision="fp32", words="Read-only file system"), fastest=0
        )
    )
    words = run_until(started(models), stage, "ready")
    assert words == "nothing else could be measured: openvino fp32: Read-only file system"


def test_what_cannot_be_looked_up_stops_no_start(
    stage: InferStage, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("engines.builder.contest.version", missing)
    builds = EngineBuilds(Engine(), models)
    builds.prepare(["test-boxes"])  # as default settings have it
    assert builds.states["test-boxes"].state == "failed"
    assert "openvino" in builds.states["test-boxes"].words or "onnxruntime" in (
        builds.states["test-boxes"].words
    )
    frame(stage)


def test_where_the_model_is_fastest_it_runs_on(
    stage: InferStage,
    models: Models,
    child: Child,
    started: Callable[..., EngineBuilds],
    caplog: pytest.LogCaptureFixture,
) -> None:
    child(verdict(Measured(runtime="openvino", precision="fp32", ms=3.0, engine="x"), fastest=0))
    with caplog.at_level(logging.INFO):
        words = run_until(started(models), stage, "ready")
    assert words.startswith("onnxruntime as published is fastest here: ")
    assert f"runs on as it is: {words}" in caplog.text
    assert models.in_use()[0].runs == "test-boxes"
    assert models.in_use()[0].before == ()


def test_frames_of_the_cameras_calibrate_and_others_prove(
    stage: InferStage, models: Models, child: Child, started: Callable[..., EngineBuilds]
) -> None:
    saw = child(verdict(fastest=0))
    run_until(started(models, calibrate="cameras"), stage, "ready")
    _, asked = json.loads(saw.read_text())
    assert asked["by_cameras"]
    assert (len(asked["frames"]), len(asked["calibrate"])) == (2, 4)


def test_few_frames_of_the_cameras_set_no_scales(
    stage: InferStage, models: Models, child: Child, started: Callable[..., EngineBuilds]
) -> None:
    saw = child(verdict(fastest=0))
    builds = started(models, calibrate="cameras")
    until(lambda: builds.states["test-boxes"].state == "collecting")
    for _ in range(5):  # of six
        frame(stage)
    time.sleep(3 * engine_builds.WAIT_S)  # those of which fewer do are patient for one
    assert builds.states["test-boxes"].state == "collecting"
    assert not saw.exists()
    run_until(builds, stage, "ready")
    assert saw.exists()


def test_frames_in_which_nothing_is_found_prove_nothing(
    stage: InferStage, models: Models, child: Child, started: Callable[..., EngineBuilds]
) -> None:
    saw = child(verdict(fastest=0))
    builds = started(models)
    until(lambda: builds.states["test-boxes"].state == "collecting")
    for _ in range(10):
        frame(stage, None)
    assert not saw.exists()
    run_until(builds, stage, "ready")
    assert saw.exists()


def test_what_was_measured_serves_from_the_first_frame(
    stage: InferStage,
    models: Models,
    started: Callable[..., EngineBuilds],
    monkeypatch: pytest.MonkeyPatch,
    engine: Built,
) -> None:
    won = Measured(runtime="openvino", precision="fp32", ms=1.0, engine=engine.key)
    monkeypatch.setattr(
        "engines.builder.contest.remembered", lambda _contest: verdict(won, fastest=1)
    )
    builds = started(models)
    assert builds.states["test-boxes"].state == "ready"
    assert models.runs("test-boxes") == str(engine.manifest)


@pytest.mark.parametrize("has_begun", [True, False])
def test_what_was_measured_serves_a_camera_that_comes_later(
    stage: InferStage,
    models: Models,
    monkeypatch: pytest.MonkeyPatch,
    engine: Built,
    has_begun: bool,
) -> None:
    """Before its model finds anything, which may take days; or as it was removed meanwhile."""
    won = Measured(runtime="openvino", precision="fp32", ms=1.0, engine=engine.key)
    monkeypatch.setattr(
        "engines.builder.contest.remembered", lambda _contest: verdict(won, fastest=1)
    )
    models = models if has_begun else Models()
    builds = EngineBuilds(Engine(), models)
    builds.want(["test-boxes"])
    builds.start()
    until(lambda: builds.states["test-boxes"].state not in ("waiting", "collecting"))
    builds.close()
    assert builds.states["test-boxes"].state == "ready", builds.states
    if not has_begun:
        stage = InferStage("test-boxes", models=models)
    assert stage.model.manifest.runs_on == "openvino"


def test_a_model_of_another_kind_of_file_is_left_alone(stage: InferStage, models: Models) -> None:
    builds = EngineBuilds(Engine(), models)
    builds.want(["unet-face-int8", "nosuch"])  # of the second its stage says what is wrong
    assert builds.states == {}


def test_workers_of_other_tests_measure_nothing(home: Path) -> None:
    del home
    assert Settings().engine.runtime is None
    assert os.environ[MEASURES] == "null", "which processes that tests start inherit"


@pytest.mark.parametrize("is_asked", [True, False])
def test_without_openvino_nothing_is_measured(
    models: Models,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    is_asked: bool,
) -> None:
    monkeypatch.setattr(engine_choice, "find_spec", lambda _name: None)
    with caplog.at_level(logging.INFO):
        builds = EngineBuilds(Engine(runtime="auto") if is_asked else Engine(), models)
    builds.prepare(["test-boxes"])
    builds.want(["test-boxes"])
    builds.start()
    builds.close()
    assert builds.states == {}
    assert ('pip install "mirante[openvino]"' in caplog.text) is is_asked

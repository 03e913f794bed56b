from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from engines.manifest import WEIGHTS, find
from mirante import Counts
from pipeline.cli.demo_run import find_clips, page_port, print_account
from pipeline.config.camera import Camera
from pipeline.config.references import check_stages
from pipeline.config.stages.model import ModelStage
from pipeline.config.stages.zones import ZonesStage
from pipeline.config.standard import Finds
from pipeline.control.outbox_report import OutboxReport
from pipeline.control.reports import CameraReport, WorkerState
from pipeline.demo.scenes import DRAWN_ROAD, DRAWN_YARD, SCENES, demo_settings
from pipeline.demo.tally import Tally


@pytest.mark.slow
def test_what_is_not_here_is_said_and_the_road_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pipeline.demo.road.FRAMES", 2)
    monkeypatch.setattr("pipeline.demo.yard.FRAMES", 2)
    monkeypatch.chdir(tmp_path)
    drawn = {"yard": DRAWN_YARD, "road": DRAWN_ROAD}
    assert find_clips(Console(width=200)) == drawn
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("road: ")
    assert "drawn" in lines[0]
    assert lines[1:] == [
        "street: no clip .cache/demo/vtest.avi; the synthetic camera stands in",
        "face: no clip .cache/demo/carphone.mp4; the synthetic camera stands in",
    ]
    assert find_clips(Console(width=200)) == drawn
    assert len(capsys.readouterr().out.splitlines()) == 2  # drawn once


def test_without_a_dashboard_the_demo_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    models: dict[Finds, str] = {"objects": "street", "faces": "yunet"}
    monkeypatch.setattr("pipeline.worker.dashboard_process._LIBRARIES", ("of_nobody",))
    assert page_port(Console(width=200)) is None
    assert "not installed: pip install 'mirante[dashboard]'" in capsys.readouterr().out
    assert demo_settings({}, models, None).dashboard.port is None


def test_a_camera_added_meanwhile_does_not_break_the_account(
    capsys: pytest.CaptureFixture[str],
) -> None:
    counts = Counts(3, 2, {"rate": 1}, 0)
    report = CameraReport(state="running", reason="", counts=counts, in_flight=0, detections=0)
    outbox = OutboxReport(connected=True, words="", depth=0, sent=0, lost={}, refused=0)
    cameras = {"street": report, "yard": report}
    print_account(
        WorkerState(outbox=outbox, cameras=cameras, models=(), builds={}), Tally(["street"])
    )
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        "camera",
        "street",
    ]


def models_of(camera: Camera) -> list[tuple[str, str | None]]:
    stages = [stage for stage in camera.stages or () if isinstance(stage, ModelStage)]
    return [(stage.model, stage.on) for stage in stages]


def kinds_of(camera: Camera) -> list[str]:
    return [stage.key() for stage in camera.stages or ()]


def test_the_synthetic_camera_has_models_of_its_own() -> None:
    models: dict[Finds, str] = {"objects": "street", "faces": "yunet"}
    cameras = demo_settings({"road": "rtsp://127.0.0.1:1/road"}, models, 0).cameras
    assert list(cameras) == ["street", "face", "yard", "road"]
    assert models_of(cameras["road"]) == [("road", None)]
    for name in ("street", "face"):
        assert cameras[name].url.scheme == "test"
        assert models_of(cameras[name]) == [("test-boxes", None), ("test-lane", None)]
        assert kinds_of(cameras[name]) == ["model", "track", "zones", "model", "lanes"]
        assert list(check_stages(cameras[name].stages or (), name)) == []


@pytest.mark.parametrize(("objects", "faces"), [("yolox-street", "yunet"), ("street", "street")])
def test_scenes_run_what_can_be_had(objects: str, faces: str) -> None:
    urls = {scene.name: f"rtsp://127.0.0.1:1/{scene.name}" for scene in SCENES}
    settings = demo_settings(urls, {"objects": objects, "faces": faces}, 0)
    cameras = settings.cameras
    assert kinds_of(cameras["street"]) == ["model", "track", "zones"]
    assert models_of(cameras["street"]) == [(objects, None)]
    assert models_of(cameras["face"]) == [(faces, None), ("face", "face")]
    assert kinds_of(cameras["road"]) == ["model", "lanes"]
    assert kinds_of(cameras["yard"]) == ["model", "track"]
    assert cameras["yard"].sleep == "on"
    assert "face" in find(faces).labels
    for name, camera in cameras.items():
        assert list(check_stages(camera.stages or (), name)) == []
    shipped = {model for name in ("face", "road") for model, _ in models_of(cameras[name])}
    assert {model for model in shipped - {"yunet"} if find(model).folder != WEIGHTS} == set()


def test_the_street_is_counted_and_kept() -> None:
    models: dict[Finds, str] = {"objects": "street", "faces": "street"}
    settings = demo_settings({"street": "rtsp://127.0.0.1:1/street"}, models, 0)
    street = settings.cameras["street"]
    (counted,) = [stage for stage in street.stages or () if isinstance(stage, ZonesStage)]
    assert (list(counted.zones), list(counted.lines)) == (["junction"], ["path"])
    assert street.clips is not None
    assert street.clips.on == ["line-crossed"]
    assert settings.clips.max_bytes <= 2**28

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from engines.manifest import WEIGHTS, find
from pipeline.cli.demo_run import DRAWN_ROAD, SCENES, SYNTHETIC, demo_settings, find_clips
from pipeline.config.camera import Camera
from pipeline.config.stages.model import ModelStage


def test_what_is_not_here_is_said_and_the_road_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pipeline.demo.road.FRAMES", 2)
    monkeypatch.chdir(tmp_path)
    assert find_clips(Console(width=200)) == {"road": DRAWN_ROAD}
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("road: ")
    assert "drawn" in lines[0]
    assert lines[1:] == [
        "street: no clip .cache/demo/vtest.avi; the synthetic camera stands in",
        "face: no clip .cache/demo/carphone.mp4; the synthetic camera stands in",
    ]
    assert find_clips(Console(width=200)) == {"road": DRAWN_ROAD}
    assert len(capsys.readouterr().out.splitlines()) == 2  # drawn once


def models_of(camera: Camera) -> list[tuple[str, str | None]]:
    stages = [stage for stage in camera.stages or () if isinstance(stage, ModelStage)]
    return [(stage.model, stage.on) for stage in stages]


def test_the_synthetic_camera_has_models_of_its_own() -> None:
    cameras = demo_settings({"road": "rtsp://127.0.0.1:1/road"}, "yunet").cameras
    assert list(cameras) == ["street", "face", "road"]
    assert models_of(cameras["road"]) == [("road", None)]
    for name in ("street", "face"):
        assert cameras[name].url.scheme == "test"
        assert [s.model_dump(exclude_defaults=True) for s in cameras[name].stages or ()] == [
            *SYNTHETIC
        ]


@pytest.mark.parametrize("faces", ["yunet", "street"])
def test_scenes_run_what_can_be_had(faces: str) -> None:
    urls = {scene.name: f"rtsp://127.0.0.1:1/{scene.name}" for scene in SCENES}
    cameras = demo_settings(urls, faces).cameras
    assert cameras["street"].stages is None, "it is as any camera"
    assert models_of(cameras["face"]) == [(faces, None), ("face", "face")]
    assert "face" in find(faces).labels
    shipped = {model for name in ("face", "road") for model, _ in models_of(cameras[name])}
    assert {model for model in shipped - {"yunet"} if find(model).folder != WEIGHTS} == set()

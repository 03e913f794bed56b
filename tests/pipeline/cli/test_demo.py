from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from engines.manifest import WEIGHTS, find
from pipeline.cli.demo_run import DRAWN_ROAD, SCENES, SYNTHETIC, Scene, demo_settings, find_clips
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


def test_the_synthetic_camera_has_models_of_its_own() -> None:
    cameras = demo_settings({"road": "rtsp://127.0.0.1:1/road"}).cameras
    assert list(cameras) == ["street", "face", "road"]
    assert [stage.model for stage in cameras["road"].stages if isinstance(stage, ModelStage)] == [
        "road"
    ]
    for name in ("street", "face"):
        assert cameras[name].url.scheme == "test"
        assert [s.model_dump(exclude_defaults=True) for s in cameras[name].stages] == [*SYNTHETIC]


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_every_scene_runs_models_that_are_shipped(scene: Scene) -> None:
    for stage in scene.stages:
        assert find(stage["model"]).folder == WEIGHTS

"""What a camera takes that is tried, and whether that is here."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pipeline.cameras.synthetic import picture
from pipeline.config.camera import Camera
from pipeline.control.room import Space
from pipeline.control.trials import Trial, unpack
from pipeline.gst.clips import encode_pictures
from pipeline.worker import trials as trial_module
from pipeline.worker.trials import answer_trial, run_trial

pytestmark = pytest.mark.slow
BOXES: dict[str, Any] = {"stages": [{"model": "test-boxes"}]}


def measured(url: str) -> Trial:
    """A trial in which frames came while they were counted, for a second: a busy machine may stand
    still for that long.
    """
    trial = tried(url)
    for _ in range(5):
        if trial.cpu_percent is None:
            trial = tried(url)
    return trial


def tried(url: str, **keys: Any) -> Trial:
    return run_trial("gate", Camera.model_validate({"url": url} | BOXES | keys))


@pytest.mark.usefixtures("tried_here")
def test_what_it_takes_is_said_and_whether_that_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = measured("test://?size=640x360&fps=20")
    assert trial.cpu_percent is not None
    assert trial.free_percent is not None
    assert trial.cpu_percent > 0
    assert trial.fits is (trial.cpu_percent <= trial.free_percent)
    full = Space(cores=2, used=1.6, memory_bytes=1, memory_free_bytes=1)
    monkeypatch.setattr(trial_module, "space_of", lambda _used: full)
    trial = measured("test://?size=640x360&fps=20")
    assert trial.fits is False
    assert trial.warning is not None
    assert "and 0 % is left for cameras here" in trial.warning


def test_while_an_engine_is_built_nothing_is_said_of_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes all that cameras leave."""
    full = Trial(
        connected=True, words="", seconds=1.0, cpu_percent=30.0, free_percent=0.0, fits=False
    )
    monkeypatch.setattr(trial_module, "run_trial", lambda *_: full)
    registry = cast(Any, SimpleNamespace(completed=lambda *_: None, cameras=dict))
    asked = {"name": "gate", "spec": {"url": "rtsp://h/x"}}
    assert unpack(answer_trial(registry, None, lambda: False, asked)).fits is False
    told = unpack(answer_trial(registry, None, lambda: True, asked))
    assert (told.cpu_percent, told.fits, told.warning) == (30.0, None, None)


@pytest.mark.usefixtures("tried_here")
def test_what_takes_all_there_is_needs_no_room(tmp_path: Path) -> None:
    clip = tmp_path / "numbers.mp4"
    encode_pictures((picture(n, 320, 180) for n in range(40)), 10, clip)
    trial = tried(str(clip), pace="every_frame", loop=True)
    assert trial.connected, trial.words
    assert (trial.cpu_percent, trial.fits) == (None, None)

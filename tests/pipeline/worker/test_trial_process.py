"""The process that tries a camera: what it answers, how it ends, and who sees its passwords."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import cv2
import numpy as np
import pytest

from pipeline.cameras.synthetic import read_number, truth
from pipeline.config.camera import Camera
from pipeline.control.trials import Trial
from pipeline.gst.clips import read_clip
from pipeline.worker import trials as trial_module
from pipeline.worker.trials import run_trial
from tests.support import ROOT
from tests.support.images import decode_image
from tests.support.rtsp_manners import Manners, MannersServer
from tests.support.trial_here import try_here

pytestmark = pytest.mark.rtsp

ENCODED = "h0rse%2Fbattery%20staple"


def tried(url: str, **keys: Any) -> Trial:
    return run_trial("gate", Camera.model_validate({"url": url, "stages": []} | keys))


def test_what_the_synthetic_camera_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    try_here(monkeypatch)
    trial = tried("test://?size=640x360&fps=20", stages=[{"model": "test-boxes"}])
    assert trial.connected, trial.words
    assert trial.words.startswith("connected: the first image came after")
    assert (trial.size, trial.fps, trial.codec) == ((640, 360), 20.0, None)
    picture = np.asarray(cv2.cvtColor(decode_image(trial.jpeg), cv2.COLOR_BGR2RGB), np.uint8)
    assert picture.shape == (360, 640, 3)
    number = read_number(picture)
    assert number is not None
    boxes, _ = truth(number, 640, 360)
    found = np.array([each.bbox for each in trial.objects])
    drawn = np.concatenate([boxes.xyxy[:, :2], boxes.xyxy[:, 2:] - boxes.xyxy[:, :2]], axis=1)
    assert np.abs(found[np.argsort(found[:, 0])] - drawn[np.argsort(drawn[:, 0])]).max() <= 2


def test_a_stage_that_fails_or_drops_every_frame(tmp_path: Path) -> None:
    (tmp_path / "bad_stages.py").write_text(
        "class Fails:\n    def __call__(self, frame, result):\n        print('noise')\n"
        "        raise RuntimeError('cursed')\n\n\n"
        "class Drops:\n    frames = 0\n\n    def __call__(self, frame, result):\n"
        "        from pipeline.gst.trial import TrialSink\n        self.frames += 1\n"
        "        if self.frames > 3:\n            TrialSink.enough.set()\n        return None\n\n\n"
        "class Dies:\n    def __call__(self, frame, result):\n"
        "        import os, signal\n        os.kill(os.getpid(), signal.SIGSEGV)\n"
    )
    sys.path.append(str(tmp_path))
    try:
        said = {
            name: tried("test://?fps=30", stages=[{"python": f"bad_stages:{name}"}])
            for name in ("Fails", "Dies")
        }
        with pytest.MonkeyPatch.context() as patch:
            try_here(patch)
            patch.setattr(trial_module, "ANSWER_S", 60.0)  # or when it has dropped some frames
            drops = tried("test://?fps=30", stages=[{"python": "bad_stages:Drops"}])
    finally:
        sys.path.remove(str(tmp_path))
    assert said["Fails"].words.endswith("RuntimeError: cursed")
    assert said["Dies"].words == "the trial ended by SIGSEGV before it had an answer"
    codes = [said["Fails"].code, said["Dies"].code, drops.code]
    assert codes == ["stage-failed", "trial-ended", "stages-drop"]
    assert drops.words.startswith("images arrive, but the camera's own stages dropped each of")


def test_a_process_that_hangs_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    run = subprocess.run
    hangs = [sys.executable, "-c", "import time; time.sleep(60)"]
    monkeypatch.setattr(trial_module, "KILL_S", 0.5)
    monkeypatch.setattr(subprocess, "run", lambda _, **options: run(hangs, **options))
    assert tried("test://").words == "the trial was ended after 0.5 s without an answer"


def test_the_password_is_in_no_argument_variable_or_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    started: list[tuple[Any, dict[str, Any]]] = []
    run = subprocess.run

    def note(words: Any, **options: Any) -> Any:
        started.append((words, options))
        return run(words, **options)

    monkeypatch.setattr(subprocess, "run", note)
    caplog.set_level("DEBUG")
    clip = read_clip(ROOT / "tests/support/numbers/numbers_b0.h264.mp4")
    with MannersServer(Manners(clip, login=f"viewer:{unquote(ENCODED)}")) as camera:
        trial = tried(camera.url("rtsph", f"viewer:{ENCODED}@"))
    assert trial.connected, trial.words
    assert (trial.size, trial.codec) == ((192, 96), "H.264")
    assert decode_image(trial.jpeg).shape == (96, 192, 3)
    ((words, options),) = started
    assert "env" not in options
    assert ENCODED in options["input"].decode()
    for text in (str(words), caplog.text, trial.words):
        assert "battery" not in text

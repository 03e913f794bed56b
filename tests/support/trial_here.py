"""Trials of cameras in the process of the test, where one of their own shows nothing more."""

from __future__ import annotations

import logging
import subprocess
from types import SimpleNamespace
from typing import Any

import gi
import msgspec
import pytest

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from pipeline.cameras import targets
from pipeline.control.trials import Request, pack
from pipeline.gst import trial
from pipeline.gst.camera import CameraRunner
from pipeline.worker import trials


def try_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start no process for a trial, which takes a second of CPU."""

    def run(_words: Any, *, input: bytes, **_options: Any) -> Any:
        request = msgspec.json.decode(input, type=Request)
        sink = trial.TrialSink  # of a process that tries one camera
        sink.kept, sink.fps, sink.codec, sink.frames = None, None, None, 0
        return subprocess.CompletedProcess([], 0, pack(trial.try_camera(request)), b"")

    Gst.Element.register(None, "mirtrial", int(Gst.Rank.NONE), trial.TrialSink)
    monkeypatch.setattr(trial, "RATE_S", 1.0)
    monkeypatch.setattr(targets, "_forbidden", False)  # again, once the test is over
    monkeypatch.setattr(logging.getLogger(CameraRunner.__module__), "handlers", [])
    fake = SimpleNamespace(run=run, TimeoutExpired=subprocess.TimeoutExpired)
    monkeypatch.setattr(trials, "subprocess", fake)

"""A model that waits for its engine, and a stand-in for the process that builds it."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from engines.serving import Models
from mirante.frame import FrameResult
from pipeline.control.build_report import BuildReport
from pipeline.worker import builds as engine_builds
from pipeline.worker.builds import EngineBuilds
from plugins.frame import Frame
from plugins.infer.stage import InferStage
from tests.support.built_engines import Rgb


def waiting_stage(monkeypatch: pytest.MonkeyPatch, home: Path, models: Models) -> InferStage:
    """Return a stage that runs ``test-boxes``; a build wants two of its frames."""
    monkeypatch.setenv("MIRANTE_HOME", str(home))
    monkeypatch.setattr(engine_builds, "FRAMES", 2)
    monkeypatch.setattr(engine_builds, "FRAMES_EVERY_S", 0.0)
    return InferStage("test-boxes", models=models)


def stand_in(monkeypatch: pytest.MonkeyPatch, script: Path, program: str) -> None:
    """Put a program in the place of ``python -m engines.builder``."""
    script.write_text(f"#!{sys.executable}\n{program}\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))


def show(stage: InferStage, rgb: Rgb) -> None:
    """Show the stage one frame, (360, 640, 3) uint8 RGB."""
    stage(Frame(rgb), FrameResult("gate", 0, 0, 0, "arrival", 640, 360))


def show_until(
    builds: EngineBuilds, stage: InferStage, rgb: Rgb, state: str, timeout_s: float
) -> BuildReport:
    """Show frames, as a camera does, until the build is in that state; return how far it is."""
    until_s = time.monotonic() + timeout_s
    while builds.states["test-boxes"].state != state:
        assert time.monotonic() < until_s, builds.states
        show(stage, rgb)
        time.sleep(0.05)  # the processor is for the child
    return builds.states["test-boxes"]

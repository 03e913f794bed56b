"""A camera that is lost again and again leaves nothing behind."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from typing import Any

import pytest

from pipeline.cameras import state as camera_state
from pipeline.gst import camera as gst_camera
from pipeline.gst import memory
from pipeline.gst.clips import read_clip
from pipeline.gst.session import Session
from tests.support import ROOT
from tests.support.rtsp_manners import Manners, MannersServer
from tests.support.watched import Watched

pytestmark = pytest.mark.rtsp

CLIP = ROOT / "tests/support/numbers/numbers_b0.h264.mp4"


def test_a_lost_graph_is_gone_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[weakref.ref[Any]] = []
    gone: list[int] = []

    class Tracked(Session):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self._pipeline.weak_ref(gone.append, len(made))
            made.extend((weakref.ref(self), weakref.ref(self.probes)))

    monkeypatch.setattr(gst_camera, "Session", Tracked)
    monkeypatch.setattr(camera_state, "BACKOFF_FIRST_S", 0.0)
    gc.collect()
    gc.disable()  # which would hide a cycle, some time later
    try:
        with (
            MannersServer(Manners(read_clip(CLIP), images=2)) as server,
            Watched("lost", server.url(), "fakesink") as camera,
        ):
            camera.wait_for(lambda change: change.attempt >= 3)
        kept = [one() for one in made if one() is not None]
    finally:
        gc.enable()
    assert len(gone) >= 3
    assert not kept
    assert 2 * len(gone) == len(made)


def test_memory_is_given_back_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_last", [float("-inf")])
    assert [memory.give_back(), memory.give_back()] == [True, False]
    monkeypatch.setattr(memory, "EVERY_S", 0.0)
    assert memory.give_back()


def test_reconnects_keep_no_memory() -> None:
    with MannersServer(Manners(read_clip(CLIP), images=2)) as server:
        program = [sys.executable, "-m", "tests.support.reconnected_camera", server.url(), "60"]
        done = subprocess.run(
            program, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False
        )
    assert done.returncode == 0, done.stderr[-2000:]
    assert float(done.stdout) < 4  # 0.5 measured; a graph alone takes 0.1

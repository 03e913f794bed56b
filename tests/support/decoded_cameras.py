"""Cameras that read a clip by one decoder or another."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from pipeline.cameras import state as camera_state
from pipeline.cameras.state import State, Transition
from pipeline.config.camera import Camera
from pipeline.gst.camera import CameraRunner
from plugins.ledger import Ledger
from plugins.line import Line
from tests.support import ROOT

CLIP = ROOT / "pipeline/gst/proofs/one_second.h264"
LIMIT_S = 60.0


class Ran:
    """A camera that read the clip to its end, to a fault, or until it said some words."""

    def __init__(self, name: str, until: str = "end of file", **keys: Any) -> None:
        self.changes: list[Transition] = []
        over = threading.Event()

        def on_change(change: Transition) -> None:
            self.changes.append(change)
            if until in change.reason or change.state == State.FAILED:
                over.set()

        spec = Camera.model_validate({"url": f"file:{CLIP}", "pace": "every_frame"} | keys)
        ledger = Ledger(name)
        runner = CameraRunner(name, spec, "fakesink", Line(ledger), on_change)
        with pytest.MonkeyPatch.context() as patch:
            # Decoders are tried meanwhile, which takes a busy machine longer.
            patch.setattr(camera_state, "FILE_S", 2 * LIMIT_S)
            runner.start()
            assert over.wait(LIMIT_S)
            runner.stop()
        self.decoded = ledger.counts()[0].decoded
        self.reasons = [change.reason for change in self.changes]

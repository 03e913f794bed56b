"""What a camera publishes, from its address to the end of its stages."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from mirante.frame import FrameResult
from pipeline.cameras.graph import stages_text
from pipeline.config.camera import Camera
from pipeline.gst.camera import CameraRunner
from plugins.ledger import Ledger
from plugins.line import Line
from plugins.outbox.outbox import Outbox

PATIENCE_S = 60


def published(
    is_enough: Callable[[Sequence[FrameResult]], bool], **options: Any
) -> list[FrameResult]:
    """Return the frames of a camera until they are enough; checks its account."""
    found: list[FrameResult] = []
    enough = threading.Event()

    def on_publish(result: FrameResult) -> None:
        found.append(result)
        if is_enough(found):
            enough.set()

    spec = Camera.model_validate(options)
    line = Line(Ledger("gate", on_publish), Outbox("redis://127.0.0.1:1"))
    runner = CameraRunner("gate", spec, stages_text("gate", spec, 1), line, lambda _change: None)
    runner.start()
    came = enough.wait(PATIENCE_S)
    runner.stop()
    assert came, runner.reason
    assert found[-1].counts.balanced
    assert line.closeup is None, "a decoder may have few buffers"
    return found

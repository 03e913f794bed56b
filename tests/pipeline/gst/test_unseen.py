"""Frames at which nobody looks: published all the same, and never scaled."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gi
import pytest

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from mirante.frame import FrameResult
from pipeline.cameras.graph import stages_text
from pipeline.config.camera import Camera
from pipeline.gst.camera import CameraRunner
from pipeline.gst.unseen import Unseen
from plugins.ledger import Ledger
from plugins.line import Line

URL = "test://?size=64x48&fps=50"
WAIT_S = 60.0


class Seen:
    """Takes what an outbox takes; somebody watches or not."""

    def __init__(self) -> None:
        self.is_watched = False
        self.results: list[FrameResult] = []
        self.images: list[int] = []

    def watched(self, _camera: str) -> bool:
        return self.is_watched

    def preview(self, _camera: str, _jpeg: bytes, header: dict[str, Any]) -> None:
        self.images.append(header["seq"])

    def publish(self, result: FrameResult, *_: object) -> None:
        self.results.append(result)


@contextmanager
def running(outbox: Seen, scaled: list[int], **options: Any) -> Iterator[CameraRunner]:
    spec = Camera.model_validate({"url": URL, "stages": [], "preview": {"fps": 60}, **options})
    sent: Any = outbox
    line = Line(Ledger("gate"), outbox=sent)
    runner = CameraRunner("gate", spec, stages_text("gate", spec, 1), line, lambda change: None)
    launched = Gst.parse_launch

    def on_scaled(_pad: Any, info: Any) -> Any:
        scaled.append(info.get_buffer().pts)
        return Gst.PadProbeReturn.OK

    def launch(text: str) -> Any:
        made = launched(text)
        entry = made.get_by_name("analysis").get_static_pad("sink")
        entry.add_probe(Gst.PadProbeType.BUFFER, on_scaled)
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Gst, "parse_launch", launch)
        runner.start()
        try:
            yield runner
        finally:
            runner.stop()


def until(condition: Any) -> None:
    deadline_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline_s, "it did not come"
        threading.Event().wait(0.02)


def test_a_frame_is_scaled_only_while_somebody_watches() -> None:
    outbox, scaled = Seen(), list[int]()
    with running(outbox, scaled):
        until(lambda: len(outbox.results) >= 10)
        assert scaled == []
        outbox.is_watched = True
        until(lambda: len(outbox.images) >= 3)
        outbox.is_watched = False
        shown = len(outbox.images)
        until(lambda: len(outbox.results) >= outbox.images[-1] + 10)
        assert len(outbox.images) <= shown + 1
        assert len(scaled) == len(outbox.images)
    numbers = [result.seq for result in outbox.results]
    assert numbers == sorted(set(numbers))
    assert all(result.counts.balanced and not result.skipped for result in outbox.results)
    assert {(result.width, result.height) for result in outbox.results} == {(64, 48)}


def test_a_stage_looks_at_each_frame() -> None:
    stages = [{"python": "tests.support.recorded_stages:Record"}]
    outbox, scaled = Seen(), list[int]()
    with running(outbox, scaled, stages=stages):
        until(lambda: len(outbox.results) >= 5)
        assert len(scaled) >= 5


@pytest.mark.parametrize("sink", ["fakesink", "appsink"])
def test_whoever_is_not_known_may_look(sink: str) -> None:
    graph = Gst.parse_launch(f"fakesrc name=source ! mirpreview ! {sink}")
    assert not Unseen(graph).replaces(graph.get_by_name("source").get_static_pad("src"), 0)

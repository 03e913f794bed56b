"""Synthetic and V4L2 cameras, and what holds for all: prompt stops, stages that fail, memory."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from typing import Any

import gi
import pytest

from tests.support import ROOT

gi.require_version("Gst", "1.0")
gi.require_version("GstBase", "1.0")
from gi.repository import Gst, GstBase

from pipeline.cameras.state import State, Transition
from pipeline.config.camera import Camera
from pipeline.gst import session
from pipeline.gst.camera import CameraRunner
from plugins.elements import register
from plugins.ledger import Ledger
from plugins.line import Line
from tests.support.watched import Watched

pytestmark = pytest.mark.slow


def test_the_synthetic_camera_counts() -> None:
    with Watched("drawn", "test://?size=320x180&fps=20") as camera:
        camera.seen.wait(30)
    assert [result.seq for _, result, _ in camera.seen.frames] == camera.seen.numbers
    camera.check_account(2**32)


def test_odd_sizes() -> None:
    with Watched("odd", "test://?size=333x251&fps=10", width=101, height=640) as camera:
        camera.seen.wait(2)
    number, result, size = camera.seen.frames[-1]
    assert (result.width, result.height) == (333, 251)
    assert size[0] == 101
    assert number is not None


def test_a_query_that_means_nothing_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match=r'fps="fast": expected 1 to 999'):
        Watched("bad", "test://?fps=fast")


def test_a_device_that_is_absent() -> None:
    with Watched("usb", "/dev/video99") as camera:
        _, reason = camera.wait(State.RECONNECTING)
    assert reason == "no device /dev/video99: not plugged in?"


def test_an_unknown_host() -> None:
    with Watched("dns", "rtsp://camera.invalid/live") as camera:
        _, reason = camera.wait(State.RECONNECTING)
    assert reason == 'unknown host "camera.invalid"'


def test_stop_is_prompt_while_connecting_hangs() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        camera = Watched("hung", f"rtsp://127.0.0.1:{silent.getsockname()[1]}/live")
        camera.runner.start()
        silent.accept()[0].close()  # it is being spoken to
        camera.runner.stop(timeout_s=4.0)
    assert camera.runner.finished


def test_stages_that_cannot_be_built_fail_the_camera() -> None:
    with Watched("typo", "test://", "nosuchelement ! fakesink") as camera:
        _, reason = camera.wait(State.FAILED)
    assert 'no element "nosuchelement"' in reason


def test_a_missing_decoder_is_named() -> None:
    registry = Gst.Registry.get()
    decoders = [
        registry.lookup_feature(name) for name in ("avdec_h265", "libde265dec", "nvh265dec")
    ]
    found = [(decoder, decoder.get_rank()) for decoder in decoders if decoder is not None]
    for decoder, _ in found:
        decoder.set_rank(Gst.Rank.NONE)
    try:
        with Watched("h265", f"file:{ROOT / 'tests/support/numbers.h265.mp4'}") as camera:
            _, reason = camera.wait(State.FAILED)
    finally:
        for decoder, rank in found:
            decoder.set_rank(rank)
    assert "no decoder for this video" in reason
    assert "H.265" in reason


def test_a_stage_that_ends_in_an_error_is_built_anew() -> None:
    with Watched("erring", "test://", "identity error-after=8 ! fakesink") as camera:
        _, reason = camera.wait(State.RECONNECTING)
        camera.wait(State.RUNNING, after=camera.states.index(State.RECONNECTING))
    assert reason == "Failed after iterations as requested."
    counts, pending = camera.ledger.counts()
    assert pending == 0
    assert counts.dropped["reconnect"] >= 3


class Broken:
    def __call__(self, frame: object, result: object) -> None:
        raise ZeroDivisionError("a user's mistake")


def test_frames_that_fail_are_logged_once_a_burst(caplog: pytest.LogCaptureFixture) -> None:
    register()
    stages = f"mirstage python={__name__}:Broken max-failures=0 ! fakesink"
    with Watched("failing", "test://?fps=30", stages) as camera:
        camera.wait(State.RUNNING)
        until_s = time.monotonic() + 60
        while camera.ledger.counts()[0].failed < 10 and time.monotonic() < until_s:
            time.sleep(0.05)
    assert camera.ledger.counts()[0].failed >= 10
    assert caplog.text.count("a user's mistake") == 1


class Stuck(GstBase.BaseSink):
    """A sink that cannot be stopped until it is let go."""

    __gstmetadata__ = ("Stuck sink", "Sink", "Hangs", "tests")
    __gsttemplates__ = Gst.PadTemplate.new(
        "sink", Gst.PadDirection.SINK, Gst.PadPresence.ALWAYS, Gst.Caps.new_any()
    )
    let_go = threading.Event()

    def do_render(self, _: object) -> Any:
        return Gst.FlowReturn.OK

    def do_stop(self) -> bool:
        return self.let_go.wait(30)


Gst.Element.register(None, "stucksink", Gst.Rank.NONE, Stuck)


def test_a_graph_that_does_not_stop_is_left_behind(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "TEARDOWN_S", 0.3)
    with Watched("stuck", "test://", "stucksink sync=false") as camera:
        camera.wait(State.RUNNING)
    assert camera.runner.finished
    assert "its graph does not stop; left behind" in caplog.text
    Stuck.let_go.set()


def test_a_listener_that_raises_does_not_end_the_camera(caplog: pytest.LogCaptureFixture) -> None:
    heard = threading.Event()

    def listen(change: Transition) -> None:
        if change.state == State.RUNNING:
            heard.set()
        raise RuntimeError("a bad listener")

    spec = Camera(url="test://")
    runner = CameraRunner("listened", spec, "fakesink sync=false", Line(Ledger("listened")), listen)
    runner.start()
    assert heard.wait(20)
    runner.stop()
    assert "on_change failed" in caplog.text


@pytest.mark.parametrize(
    ("warm", "most"), [("40", "160"), pytest.param("200", "600", marks=pytest.mark.full)]
)
def test_hundreds_of_rebuilds_keep_no_memory(warm: str, most: str) -> None:
    program = [sys.executable, "-m", "tests.support.rebuilt_camera", warm, most]
    done = subprocess.run(
        program, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert float(done.stdout) < 4  # 0.5 measured; a graph alone takes 0.1

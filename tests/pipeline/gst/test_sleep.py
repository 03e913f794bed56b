"""A quiet camera is asleep: key frames alone are decoded, and nothing is missed for that."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mirante.frame import FrameResult
from pipeline.cameras.graph import stages_text
from pipeline.cameras.state import State, Transition
from pipeline.config.camera import Camera
from pipeline.gst.camera import CameraRunner
from pipeline.gst.clips import encode_pictures, read_clip
from pipeline.gst.rtsp_server import RtspServer, Stream, looped
from plugins.ledger import Ledger
from plugins.line import Line
from plugins.outbox.outbox import Outbox

FPS, WIDTH, HEIGHT = 25, 320, 176
COMES_S, LEAVES_S, ENDS_S = 14.5, 16.5, 19.0
STEP = 5  # pixels that it walks from frame to frame
PATIENCE_S = 60


def street() -> Iterator[NDArray[np.uint8]]:
    """Yield images of a grey street with noise, and of something red that walks through it."""
    random = np.random.default_rng(1)
    grey = cv2.GaussianBlur(random.uniform(0, 255, (HEIGHT, WIDTH)).astype(np.float32), (0, 0), 2)
    for number in range(int(ENDS_S * FPS)):
        image = np.clip(grey + random.normal(0, 2, grey.shape), 0, 255)
        rgb = np.repeat(image[:, :, None], 3, 2).astype(np.uint8)
        if COMES_S <= number / FPS < LEAVES_S:
            left = STEP * (number - int(COMES_S * FPS))
            rgb[60:110, left : left + 40] = (255, 0, 0)
        yield rgb


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Stream:
    """The street as a camera sends it, with a key frame each second, and then no more."""
    path: Path = tmp_path_factory.mktemp("sleep") / "street.mp4"
    encode_pictures(street(), FPS, path)
    clip = read_clip(path)
    gaps = [n for n, each in enumerate(clip.pictures) if each.key]
    assert {b - a for a, b in pairwise(gaps)} == {FPS}
    sent = looped(clip)
    return Stream(sent.caps, lambda: iter([*clip.pictures, None]), sent.launch)


def seen_of(stream: Stream) -> tuple[list[FrameResult], list[State]]:
    """Return what a camera publishes until somebody has walked by, and its states."""
    found: list[FrameResult] = []
    walked: list[int] = []
    over = threading.Event()

    def on_publish(result: FrameResult) -> None:
        found.append(result)
        if len(result.detections) and result.looked:
            walked.append(result.captured_ns)
        if walked and result.captured_ns - walked[0] > (LEAVES_S - COMES_S + 0.2) * 1e9:
            over.set()

    server = RtspServer()
    server.mount("street", stream)
    server.start()
    url = server.url("street")
    spec = Camera.model_validate({"url": url, "stages": [{"model": "test-boxes"}]})
    line = Line(Ledger("sleep", on_publish), Outbox("redis://127.0.0.1:1"))
    changes: list[Transition] = []
    runner = CameraRunner("sleep", spec, stages_text("sleep", spec, 1), line, changes.append)
    runner.start()
    came = over.wait(PATIENCE_S)
    runner.stop()
    server.stop()
    assert came, runner.reason
    return found, [change.state for change in changes]


@pytest.mark.rtsp
def test_who_walks_by_is_seen_in_each_frame(stream: Stream) -> None:
    found, states = seen_of(stream)
    assert states == [State.CONNECTING, State.RUNNING, State.STOPPED]
    times_s = [(frame.captured_ns - found[0].captured_ns) / 1e9 for frame in found]
    assert times_s == sorted(times_s)
    slept = [n for n, (a, b) in enumerate(pairwise(times_s)) if b - a > 0.9]
    assert len(slept) >= 2, "key frames alone"
    assert all(found[n + 1].looked in {"", "check"} for n in slept)
    woken = found[slept[-1] + 1 :]
    gaps = sum(b.seq - a.seq - 1 for a, b in pairwise(woken))
    lost = woken[-1].counts.dropped["queue"] - woken[0].counts.dropped["queue"]
    assert gaps == lost, "of a busy machine"
    walks = [frame for frame in woken if len(frame.detections)]
    places = [round(frame.detections.xyxy[0, 0] / STEP) for frame in walks]
    assert places[0] <= 2, "from where it came"
    assert [b - a for a, b in pairwise(places)] == [b.seq - a.seq for a, b in pairwise(walks)]
    assert len(walks) >= (LEAVES_S - COMES_S) * FPS - 3 - lost
    taken_s = np.array(
        [frame.captured_ns / 1e9 - place / FPS for frame, place in zip(walks, places, strict=True)]
    )
    assert np.ptp(np.percentile(taken_s, [20, 80])) < 0.1, "each has the time at which it came"
    assert found[-1].counts.balanced

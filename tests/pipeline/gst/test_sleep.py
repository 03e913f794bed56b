"""A quiet camera is asleep: key frames alone are decoded, and nothing is missed for that."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mirante.frame import FrameResult
from pipeline.cameras.graph import stages_text
from pipeline.cameras.sharing import SharedSessions
from pipeline.cameras.sleep import LATE, UNEVEN
from pipeline.cameras.state import State, Transition
from pipeline.config.camera import Camera
from pipeline.config.camera_url import CameraUrl
from pipeline.config.onvif import Onvif
from pipeline.gst import clips
from pipeline.gst.camera import CameraRunner
from pipeline.gst.clips import Clip, encode_pictures, read_clip
from pipeline.gst.rtsp_server import RtspServer, looped
from pipeline.worker.camera_events import CameraEvents
from plugins.clips.ring import PacketRing
from plugins.gate.calm import CAMERA, VIEWER
from plugins.gate.gate import ASKED
from plugins.ledger import Ledger
from plugins.line import Line
from plugins.outbox.outbox import Outbox
from tests.support.onvif_events import EventCamera

FPS, WIDTH, HEIGHT = 10, 320, 176
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


class Heard(Outbox):
    """Sends nothing.

    Attributes:
        is_watched: somebody watches the camera.
    """

    is_watched = False

    def __init__(self) -> None:
        super().__init__("redis://127.0.0.1:1")

    def watched(self, camera: str) -> bool:
        """Return what the test says."""
        return self.is_watched


class Quiet:
    """A camera, with a model that sees what is red, and what it publishes."""

    def __init__(self, url: str, shared: SharedSessions, name: str = "sleep", **keys: Any) -> None:
        self.frames: list[FrameResult] = []
        self.states: list[State] = []
        self.words: list[str] = []
        self._changed = threading.Condition()
        self.ring = PacketRing(30, 1 << 24)
        self.outbox = Heard()
        spec = Camera.model_validate({"url": url, "stages": [{"model": "test-boxes"}], **keys})
        line = Line(Ledger(name, self._on_publish), self.outbox, rings=(self.ring,))
        stages = stages_text(name, spec, 1)
        self.line, self.calm = line, line.calm
        self.runner = CameraRunner(name, spec, stages, line, self._on_change, shared)

    def __enter__(self) -> Quiet:
        self.runner.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.runner.stop()

    def _on_publish(self, result: FrameResult) -> None:
        with self._changed:
            self.frames.append(result)
            self._changed.notify()

    def _on_change(self, change: Transition) -> None:
        self.states.append(change.state)
        self.words.append(str(change))

    def times_s(self, first: int = 0) -> list[float]:
        """Return when frames were taken."""
        return [frame.captured_ns / 1e9 for frame in self.frames[first:]]

    def wait(self, wanted: Callable[[], object]) -> None:
        """Wait until something is so when a frame is published."""
        with self._changed:
            assert self._changed.wait_for(wanted, PATIENCE_S), self.runner.reason

    def wait_asleep(self) -> int:
        """Wait for two key frames alone; return how many frames came with them."""
        first = len(self.frames)
        self.wait(lambda: all(gap > 0.9 for gap in self.gaps_s(first)[-2:] or [0]))
        return len(self.frames)

    def gaps_s(self, first: int) -> list[float]:
        """Return the seconds between frames, less those that a busy machine dropped in between."""
        return [
            (b.captured_ns - a.captured_ns) / 1e9 - (b.seq - a.seq - 1) / FPS
            for a, b in pairwise(self.frames[first:])
        ]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """The street, with a key frame each second."""
    path: Path = tmp_path_factory.mktemp("sleep") / "street.mp4"
    with pytest.MonkeyPatch.context() as patch:
        often = clips._ENCODER.replace("gop-size=25", f"gop-size={FPS}")
        patch.setattr(clips, "_ENCODER", often)
        encode_pictures(street(), FPS, path)
    clip = read_clip(path)
    keys = [n for n, each in enumerate(clip.pictures) if each.key]
    assert {b - a for a, b in pairwise(keys)} == {FPS}
    return clip


@pytest.fixture
def url(clip: Clip, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a camera that sends images, for ever or once, and then no more."""
    sent = looped(clip)
    if request.param:
        quiet = clip.pictures[: int(COMES_S) * FPS]
        sent = looped(replace(clip, pictures=quiet, duration_ns=len(quiet) * 10**9 // FPS))
    else:
        sent = replace(sent, pictures=lambda: iter([*clip.pictures, None]))
    server = RtspServer()
    server.mount("street", sent)
    server.start()
    yield server.url("street")
    server.stop()


@pytest.mark.rtsp
@pytest.mark.parametrize("url", [False], indirect=True)
def test_who_walks_by_is_seen_in_each_frame(url: str) -> None:
    def has_left() -> bool:
        walked = [frame for frame in camera.frames if len(frame.detections)]
        return bool(walked) and camera.times_s()[-1] > walked[0].captured_ns / 1e9 + walk_s + 0.2

    walk_s = LEAVES_S - COMES_S
    with Quiet(url, SharedSessions()) as camera:
        camera.wait(has_left)
    found, times_s = camera.frames, camera.times_s()
    states = list(dict.fromkeys(camera.states))
    assert states == [State.CONNECTING, State.RUNNING, State.STOPPED], camera.words
    assert times_s == sorted(times_s)
    slept = [n for n, gap in enumerate(camera.gaps_s(0)) if gap > 0.9]
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
    assert len(walks) >= walk_s * FPS - 3 - lost
    taken_s = np.array(
        [frame.captured_ns / 1e9 - place / FPS for frame, place in zip(walks, places, strict=True)]
    )
    assert np.ptp(np.percentile(taken_s, [20, 80])) < 0.1, "each has the time at which it came"
    assert found[-1].counts.balanced


@contextmanager
def told_by_the_camera(quiet: Quiet) -> Iterator[None]:
    """The camera itself says over ONVIF that something moves."""
    with EventCamera() as camera:
        url, options = CameraUrl(camera.url), Onvif(wake_s=PATIENCE_S)
        events = CameraEvents("follower", url, options, quiet.line, lambda: State.RUNNING)
        events.start()
        camera.wait("PullMessages")
        camera.say(camera.message("tns1:VideoSource/MotionAlarm", {"State": "true"}))
        yield
        events.end()
        events.join(PATIENCE_S)


@pytest.mark.rtsp
@pytest.mark.parametrize("url", [True], indirect=True)
def test_who_watches_or_shares_the_session_wakes_it(url: str) -> None:
    shared = SharedSessions()
    with Quiet(url, shared) as camera:
        asleep = camera.wait_asleep()
        camera.outbox.is_watched = True
        camera.wait(lambda: len(camera.frames) > asleep + 2 * FPS)
        woken = camera.gaps_s(asleep - 1)
        slow = [n for n, gap in enumerate(woken) if gap > 0.9]
        assert slow in ([], [0]), "one may have come before it was seen that somebody watches"
        assert set(camera.calm.wakes) - {LATE, UNEVEN} == {VIEWER}, "but for a busy machine's"
        camera.outbox.is_watched = False
        camera.wait_asleep()
        with Quiet(url, shared, "follower") as follower:
            follower.wait(lambda: len(follower.frames) > 2 * FPS)
            assert max(follower.gaps_s(0)) < 0.9, "it has to learn"
            follower.wait_asleep()
            follower.wait(lambda: camera.calm.is_asleep and follower.calm.is_asleep)
            with told_by_the_camera(follower):
                follower.wait(
                    lambda: sum(each.looked == ASKED for each in follower.frames) > 2 * FPS
                )
            follower.wait(lambda: camera.calm.wakes[CAMERA])
            assert follower.calm.wakes[CAMERA]
            assert follower.states.count(State.RUNNING) == 1, follower.words
        camera.wait_asleep()
        packets, _ = camera.ring.after(0)
        assert camera.line.threads.seconds() > 0
    asleep_s, of_s = camera.calm.slept_s()
    assert 0 < asleep_s < of_s
    assert not camera.calm.is_asleep
    states = list(dict.fromkeys(camera.states))
    assert states == [State.CONNECTING, State.RUNNING, State.STOPPED], camera.words
    run = packets[-1].order[0]
    places = [each.order[1] / 1e9 for each in packets if each.order[0] == run]
    assert max(b - a for a, b in pairwise(places)) < 0.2, "clips have all images"
    assert len(places) >= 8 * FPS
    assert camera.frames[-1].counts.balanced


@pytest.mark.rtsp
@pytest.mark.parametrize("url", [True], indirect=True)
def test_a_camera_of_a_frame_in_five_seconds_sleeps(url: str) -> None:
    def sleeps() -> bool:
        """Return whether few frames were decoded between those that were published last."""
        counts = [frame.counts for frame in camera.frames[-3:]]
        decoded = [each.decoded for each in counts]
        return len(counts) == 3 and decoded[2] - decoded[0] < 2 * FPS

    with Quiet(url, SharedSessions(), fps=0.2) as camera:
        camera.wait(sleeps)
    assert min(b - a for a, b in pairwise(camera.times_s())) > 4.0
    assert {frame.looked for frame in camera.frames[-2:]} <= {"", "check"}
    counts = camera.frames[-1].counts
    assert counts.balanced
    assert counts.dropped["rate"] == counts.decoded - counts.published - counts.dropped["queue"]

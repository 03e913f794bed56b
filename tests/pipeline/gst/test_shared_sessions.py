"""Cameras of one stream share one session, and stay cameras of their own."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import gi
import numpy as np
import pytest

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from pipeline.cameras.graph import camera_graph
from pipeline.cameras.sharing import FOLLOWING, Lead, SharedSessions
from pipeline.cameras.sources.base import Source
from pipeline.cameras.state import State
from pipeline.config.camera import Camera
from pipeline.gst.clips import Clip, read_clip
from pipeline.gst.following import FollowingSession
from pipeline.gst.session import Session
from plugins.bindings import structure_of
from plugins.ledger import Ledger
from plugins.line import Line
from tests.support import ROOT
from tests.support.number_sink import Frame
from tests.support.rtsp_manners import Manners, MannersServer
from tests.support.watched import Watched

CLIP = ROOT / "tests/support/numbers/numbers_b0.h264.mp4"
LEFT = [[[0, 0], [0.5, 0], [0.5, 1], [0, 1]]]


@pytest.fixture(scope="module")
def clip() -> Clip:
    return read_clip(CLIP)


def balanced(camera: Watched) -> bool:
    counts, pending = camera.ledger.counts()
    return counts.balanced and pending == 0


def known_of(camera: Watched, frames: list[Frame]) -> int:
    """Return how many of another camera's frames have come to this one as well."""
    times = {result.captured_ns for _, result, _ in camera.seen.frames}
    return sum(result.captured_ns in times for _, result, _ in frames)


@pytest.mark.rtsp
def test_three_cameras_of_one_stream_open_it_once(clip: Clip) -> None:
    shared = SharedSessions()
    options: dict[str, dict[str, Any]] = {
        "first": {},
        "second": {"fps": 2, "damaged": "drop"},
        "third": {"rotate": 90, "width": 48},
    }
    with MannersServer(Manners(clip)) as server, ExitStack() as running:
        cameras = []
        for name, keys in options.items():
            camera = Watched(name, server.url(), shared=shared, **keys)
            cameras.append(running.enter_context(camera))
            camera.wait(State.RUNNING)
        for camera in cameras:
            camera.seen.wait(4)
        assert server.plays == ["tcp"]
        cameras[1].seen.wait_until(lambda frames: known_of(cameras[0], frames) >= 3)
        reference = {r.captured_ns: number for number, r, _ in cameras[0].seen.frames}
        for camera in reversed(cameras):
            camera.runner.stop()
            assert balanced(camera)
            assert camera.states[0] == State.CONNECTING
            assert camera.states[-1] == State.STOPPED
        found = [(reference.get(r.captured_ns), n) for n, r, _ in cameras[1].seen.frames]
        assert all(known in {None, number} for known, number in found), "one frame, one time"
        assert cameras[1].ledger.counts()[0].dropped["rate"] > 0
        assert cameras[0].ledger.counts()[0].dropped["rate"] == 0
        (_, upright, _), (_, turned, size) = cameras[0].seen.frames[-1], cameras[2].seen.frames[-1]
        assert (turned.width, turned.height) == (upright.height, upright.width)
        assert size == (48, 96)
        seqs = [result.seq for _, result, _ in cameras[2].seen.frames]
        assert seqs[0] <= 1 + cameras[2].ledger.counts()[0].dropped["queue"]
        assert seqs == sorted(set(seqs))


@pytest.mark.rtsp
def test_who_follows_takes_over_from_one_that_is_stopped(
    clip: Clip, caplog: pytest.LogCaptureFixture
) -> None:
    shared = SharedSessions()
    caplog.set_level(logging.INFO)
    with (
        MannersServer(Manners(clip)) as server,
        Watched("lead", server.url(), shared=shared) as lead,
    ):
        lead.wait(State.RUNNING)
        with (
            Watched("next", server.url(), shared=shared) as after,
            Watched("last", server.url(), shared=shared) as last,
        ):
            after.wait(State.RUNNING)
            last.wait(State.RUNNING)
            assert "camera next: shares the session of camera lead" in caplog.text
            before = len(after.changes), len(last.changes)
            lead.runner.stop()
            for camera, known in zip((after, last), before, strict=True):
                _, reason = camera.wait(State.RECONNECTING, known)
                assert reason == 'the session of camera "lead", which it shared, has ended'
                camera.wait(State.RUNNING, known + 1)
                assert camera.runner.attempt == 0
                camera.seen.wait(len(camera.seen.frames) + 3)
            assert len(server.plays) == 2
    assert all(map(balanced, (lead, after, last)))


@pytest.mark.rtsp
def test_a_follower_that_stops_leaves_the_others_alone(clip: Clip) -> None:
    shared = SharedSessions()
    with (
        MannersServer(Manners(clip)) as server,
        Watched("stays", server.url(), shared=shared) as stays,
    ):
        stays.wait(State.RUNNING)
        for _ in range(2):
            with Watched("comes", server.url(), shared=shared) as comes:
                comes.seen.wait(3)
            assert balanced(comes)
        stays.seen.wait(len(stays.seen.frames) + 3)
        assert server.plays == ["tcp"]
    assert stays.states == [State.CONNECTING, State.RUNNING, State.STOPPED]
    assert balanced(stays)


@pytest.mark.rtsp
def test_a_lost_camera_is_lost_to_all_and_comes_back_once(
    new_server: Callable[[], Any],
) -> None:
    shared, server = SharedSessions(), new_server().start()
    with ExitStack() as running:
        pair = [
            running.enter_context(Watched(name, server.url("good"), shared=shared))
            for name in ("one", "two")
        ]
        for camera in pair:
            camera.wait(State.RUNNING)
        server.kill()
        lost = [
            camera.wait_for(lambda change: change.state == State.RECONNECTING)[1] for camera in pair
        ]
        assert lost[0].code == lost[1].code is not None
        assert lost[0].reason == lost[1].reason
        known = [len(camera.changes) for camera in pair]
        server.start()
        for camera, changes in zip(pair, known, strict=True):
            camera.wait(State.RUNNING, changes)
            camera.seen.wait(len(camera.seen.frames) + 3)
        (lead,) = shared._leads.values()
        assert len(lead.feeds) == 1
    assert all(map(balanced, pair))


class Pixels:
    """Sessions of one source of RGB, unscaled, and the last image of each."""

    def __init__(self, pattern: str, behind: str = "") -> None:
        caps = "video/x-raw,format=RGB,width=64,height=48,framerate=20/1"
        launch = f"videotestsrc name=source is-live=true pattern={pattern} ! {caps}{behind}"
        self._source = Source(launch)
        self._lead = Lead("a")
        self.sessions: list[Session] = []

    def add(self, **keys: Any) -> Session:
        spec = Camera.model_validate({"url": "/dev/video0", **keys})
        source = FOLLOWING if self.sessions else self._source
        graph = camera_graph("a", spec, "appsink name=seen sync=false max-buffers=1", source)
        line = Line(Ledger("a"))
        session = (
            FollowingSession(spec, graph, line, self._lead)
            if self.sessions
            else Session(spec, source, graph, line, lead=self._lead)
        )
        self.sessions.append(session)
        return session

    def images(self, session: Session) -> Iterator[Any]:
        sink = session._pipeline.get_by_name("seen")
        for _ in range(6):
            sample = sink.emit("try-pull-sample", 60 * Gst.SECOND)
            assert sample is not None
            shape = structure_of(sample.get_caps())
            size = shape.get_value("height"), shape.get_value("width"), 3
            with sample.get_buffer().map(Gst.MapFlags.READ) as mapped:
                yield np.frombuffer(mapped.data, np.uint8).reshape(size).copy()


@pytest.mark.parametrize("masked", [0, 1, 2])
def test_what_one_paints_the_others_do_not_see(masked: int) -> None:
    """RGB of the analysis size passes all converters, so that painting would write into it."""
    pixels = Pixels("white")
    for each in range(3):
        pixels.add(mask=LEFT if each == masked else [])
    try:
        for session in pixels.sessions:
            session.start()
        for each, session in enumerate(pixels.sessions):
            for image in pixels.images(session):
                assert image[:, 34:].min() == 255
                assert image[:, :30].max() == (0 if each == masked else 255)
    finally:
        for session in reversed(pixels.sessions):
            session.close()


def test_what_the_stream_says_of_its_rotation_is_said_to_all() -> None:
    pixels = Pixels("white", " ! taginject tags=image-orientation=rotate-90")
    rotations: tuple[dict[str, Any], ...] = ({}, {}, {"rotate": 90})
    try:
        for keys in rotations:
            pixels.add(**keys).start()
        shapes = [[image.shape for image in pixels.images(each)][-1] for each in pixels.sessions]
        assert shapes == [(64, 48, 3), (64, 48, 3), (48, 64, 3)]
        ledgers = [session.probes._ledger for session in pixels.sessions]
        sizes = [next(reversed(ledger._open.values())).result for ledger in ledgers]
        assert [(each.width, each.height) for each in sizes] == [(48, 64), (48, 64), (64, 48)]
    finally:
        for session in reversed(pixels.sessions):
            session.close()


def test_a_follower_that_hangs_delays_nobody() -> None:
    pixels = Pixels("black")
    lead, hung = pixels.add(), pixels.add()
    try:
        lead.start()
        hung.start()  # whose sink is never emptied
        until_s = time.monotonic() + 20
        while hung.probes.frames < 30 and time.monotonic() < until_s:
            next(pixels.images(lead))
        assert hung.probes.frames >= 30
        assert lead.probes.frames >= 30
    finally:
        hung.close()
        lead.close()
    ledger = hung.probes._ledger
    assert ledger.counts()[0].dropped["queue"] > 10
    ledger.interrupt("stop")
    counts, pending = ledger.counts()
    assert counts.balanced
    assert pending == 0

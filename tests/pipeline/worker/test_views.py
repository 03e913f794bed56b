"""View streams come and go with viewers, one session each, and fail by themselves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, cast

import pytest
import redis

from engines.serving import Models
from mirante.faults import FaultCode
from mirante.keys import key
from mirante.wire.framed import unframed
from pipeline.cameras.sharing import SharedSessions
from pipeline.cameras.state import State, Transition
from pipeline.config.camera import Camera
from pipeline.config.clips import ClipsKept
from pipeline.config.settings import Settings
from pipeline.control.registry import connect
from pipeline.gst.camera import CameraRunner
from pipeline.worker import views as views_module
from pipeline.worker.camera import CameraStarter, RunningCamera
from pipeline.worker.clips import WorkerClips
from pipeline.worker.redis_server import RedisServer
from pipeline.worker.views import IDLE, LINGER_S, Views
from pipeline.worker.worker import Worker
from plugins.line import Line
from plugins.outbox.outbox import Outbox
from tests.support import running_worker
from tests.support.images import decode_image

SUB, MAIN = "rtsp://h/sub", "rtsp://u:p@h/main"


class Runner:
    """A runner that does nothing; all there were are in ``made``."""

    made: list[Runner]

    def __init__(
        self,
        name: str,
        spec: Camera,
        stages: str,
        line: Line,
        on_change: Callable[[Transition], None],
        shared: SharedSessions | None = None,
    ) -> None:
        assert shared is None
        self.name, self.spec, self.stages, self.line = name, spec, stages, line
        self.on_change = on_change
        self.state, self.reason = State.CONNECTING, "first attempt"
        self.code: FaultCode | None = None
        self.attempt, self.since_ns, self.finished = 0, 0, False
        self.stream = None
        self.may_end = threading.Event()
        self.may_end.set()
        self.ended = False
        type(self).made.append(self)

    def start(self) -> None:
        """Nothing runs."""

    def stop(self, timeout_s: float = 5.0, reason: str = "") -> None:
        assert self.may_end.wait(timeout_s), reason
        self.ended = True

    def become(self, state: State, reason: str, code: FaultCode | None = None) -> None:
        self.state, self.reason, self.code = state, reason, code
        self.on_change(Transition(self.name, state, reason, 0, None, 0, code))


class House:
    """Cameras that are watched or not, on a clock that a test sets."""

    def __init__(self) -> None:
        Runner.made = []
        self.now_s = 0.0
        self.watched: set[str] = set()
        self.cameras: dict[str, RunningCamera] = {}
        self._outbox = cast(Outbox, self)
        clips = WorkerClips(ClipsKept(folder=Path("/nonexistent")), lambda: self.cameras)
        self._starter = CameraStarter(Runner, self._outbox, Models(), 1, clips=clips)
        self.views = Views(Runner, self.watched.__contains__, lambda: self.now_s)

    def limit(self, camera: str, most: object) -> None:
        """As an outbox does."""

    def add(self, name: str, **keys: Any) -> None:
        spec = Camera.model_validate({"url": f"rtsp://h/{name}", "stages": []} | keys)
        self.cameras[name] = self._starter.start(name, spec)

    def follow(self, *watched: str, now_s: float = 0.0) -> None:
        self.now_s = now_s
        self.watched.clear()
        self.watched.update(watched)
        self.views.follow(self.cameras)

    def settle(self) -> None:
        """Waits for what ends."""
        for thread in list(self.views._ending.values()):
            thread.join()

    @property
    def sessions(self) -> list[Runner]:
        """The views that run."""
        return [one for one in Runner.made if one.stages == "mirview" and not one.ended]


@pytest.fixture
def house() -> House:
    return House()


def test_a_view_is_read_only_while_somebody_watches(house: House) -> None:
    house.add("gate", view=MAIN)
    house.follow()
    assert house.sessions == []
    assert house.views.report("gate") == IDLE
    house.follow("gate", now_s=1)
    (session,) = house.sessions
    assert (session.name, session.spec.url.path) == ("gate view", "/main")
    house.follow("gate", now_s=50)
    house.follow(now_s=50 + LINGER_S)
    assert house.sessions == [session], "a page that is loaded again finds it running"
    house.follow(now_s=50.1 + LINGER_S)
    house.views.close()
    assert house.sessions == []


def test_equal_views_share_a_session(house: House) -> None:
    house.add("gate", view=MAIN, preview={"fps": 4, "quality": 50})
    house.add("yard", view="rtsp://u:p@h:554/main", preview={"fps": 12})
    house.follow("gate", "yard")
    (session,) = house.sessions
    assert session.spec.fps == 12, "as fast as the faster one wants it"
    assert session.line.views == (house.cameras["gate"].images, house.cameras["yard"].images)
    del house.cameras["yard"]
    house.follow("gate")
    house.settle()
    house.follow("gate")
    (slower,) = house.sessions
    assert (slower.spec.fps, len(slower.line.views)) == (4, 1)


def test_a_view_with_other_options_does_not_get_a_second_session(house: House) -> None:
    house.add("gate", view=MAIN)
    house.add("yard", view=MAIN, latency_ms=7)
    house.add("zoo", view="rtsp://u:other@h/main")
    house.follow("gate", "yard", "zoo")
    assert len(house.sessions) == 1
    refused = [house.views.report(name) for name in ("yard", "zoo")]
    assert [one and one.code for one in refused] == ["invalid", "invalid"]
    words = [one.reason for one in refused if one]
    assert words[0] == 'view: expected the same latency_ms as camera "gate", which shows it too'
    assert "the same user and password as" in words[1]


def test_the_same_stream_needs_no_view(house: House) -> None:
    house.add("gate", url=MAIN, view=MAIN)
    house.follow("gate")
    assert house.sessions == []
    assert house.views.report("gate") is None
    assert house.cameras["gate"].images is None


def test_no_session_begins_before_the_one_before_has_ended(house: House) -> None:
    house.add("gate", view=MAIN)
    house.follow("gate")
    (first,) = house.sessions
    first.may_end.clear()
    house.add("gate", view=MAIN, preview={"fps": 2})
    house.follow("gate")
    house.follow("gate")
    assert len(Runner.made) == 3, "the camera twice, and its first view"
    first.may_end.set()
    house.settle()
    house.follow("gate")
    assert [one.spec.fps for one in house.sessions] == [2]


def test_a_fault_of_the_view_is_told_beside_the_camera(house: House) -> None:
    house.add("gate", view=MAIN)
    house.follow("gate")
    (session,) = house.sessions
    images = house.cameras["gate"].images
    assert images is not None
    images.source = (1920, 1080)
    session.become(State.FAILED, "404 not found", FaultCode.NOT_FOUND)
    house.follow("gate")
    report = house.views.report("gate")
    assert report is not None
    assert (report.state, report.reason, report.code) == ("failed", "404 not found", "not-found")
    assert report.size is None, "its images are over"
    told = house.cameras["gate"].report(report)
    assert (told.state, told.reason) == ("connecting", "first attempt")
    assert told.view == report


def test_a_camera_that_blurs_and_has_a_view_does_not_start(house: House) -> None:
    with pytest.raises(ValueError, match=r"preview\.blur names classes \(face\)"):
        house.add("gate", view=MAIN, stages=[{"model": "yunet"}], preview={"blur": ["face"]})


def test_what_cannot_run_is_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.add("gate", view=MAIN)
    monkeypatch.setattr(Runner, "start", lambda _: (_ for _ in ()).throw(ValueError("decode: no")))
    house.follow("gate")
    report = house.views.report("gate")
    assert report is not None
    assert (report.state, report.reason, report.code) == ("failed", "decode: no", "invalid")
    house.views.close()


def running(server: RedisServer, **keys: object) -> AbstractContextManager[Worker]:
    settings = Settings.model_validate({"cameras": {"gate": keys}})
    return running_worker.running(Worker(settings, server.url, CameraRunner))


def pictures(client: redis.Redis) -> Iterator[tuple[dict[str, Any], Any]]:
    """Headers and images of the camera's channel as they come, for 50 s."""
    import msgspec

    with client.pubsub(ignore_subscribe_messages=True) as channel:
        channel.subscribe(key("gate", "preview"))
        until_s = time.monotonic() + 50
        while time.monotonic() < until_s:
            message = channel.get_message(timeout=1.0)
            if message is not None:
                header, jpeg = unframed(message["data"])
                yield msgspec.json.decode(header), decode_image(jpeg)
    pytest.fail("it did not come")


@pytest.mark.redis
def test_the_image_is_of_the_view_and_of_the_camera_itself_without_it(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr(views_module, "LINGER_S", 0.5)
    left = [[0, 0], [0.25, 0], [0.25, 1], [0, 1]]
    hidden = {"crop": [0.1, 0, 0.9, 1], "mask": [left]}
    keys = {"url": "test://?size=320x180&fps=10", "stages": [], "preview": {"width": 960}} | hidden
    view = "test://?size=1280x720&fps=10"
    with connect(redis_server.url) as client, running(redis_server, **keys, view=view) as worker:
        for header, image in pictures(client):
            width = image.shape[1]
            assert image[:, : round(width * 0.18)].max() < 16, "black in either"
            assert image[:, round(width * 0.3) :].max() > 100
            if header.get("stream") == "view":
                assert image.shape[:2] == (675, 960)
                assert header["seq"] >= 0
                told = worker.state().cameras["gate"].view
                is_near = abs(header["off_ms"]) <= 100  # where no frame between was dropped
                if is_near and told is not None and told.state == "running":
                    assert told.size == (1024, 720)
                    break
            else:
                assert image.shape[:2] == (180, 256), "until it has connected"
        until_s = time.monotonic() + 60
        while (report := worker.state().cameras["gate"]).view != IDLE:
            assert time.monotonic() < until_s, report
            time.sleep(0.1)
        published = report.counts.published if report.counts else 0
        assert published > 0
    broken = keys | {"view": f"file:{tmp_path}/none.mp4"}
    with connect(redis_server.url) as client, running(redis_server, **broken) as worker:
        seen = 0
        for header, image in pictures(client):
            assert "stream" not in header
            assert image.shape[:2] == (180, 256)
            found = worker.state().cameras["gate"].view
            seen += found is not None and found.code == "no-file"
            if seen > 3:
                break
        assert worker.state().cameras["gate"].state == "running"


def test_a_view_that_clips_are_of_is_read_all_the_time(house: House) -> None:
    house.add("gate", url=SUB, view=MAIN, clips={})
    clips = house.cameras["gate"].clips
    assert clips is not None
    house.follow()
    (session,) = house.sessions
    assert (session.line.rings, session.line.is_resting) == ((clips.ring,), True)
    assert next(one for one in Runner.made if one.stages != "mirview").line.rings == ()
    house.follow("gate")
    assert not session.line.is_resting
    house.follow(now_s=100.0)
    assert house.sessions == [session]
    assert session.line.is_resting


@pytest.mark.parametrize(
    "keys", [{"clips": {"view": False}}, {"clips": {}, "crop": [0, 0, 1, 0.5]}, {}]
)
def test_a_view_that_clips_are_not_of_is_not_read(house: House, keys: dict[str, Any]) -> None:
    """What crop hides by its place may lie elsewhere in the view."""
    house.add("gate", url=SUB, view=MAIN, **keys)
    house.follow()
    assert house.sessions == []
    clips = house.cameras["gate"].clips
    rings = next(one for one in Runner.made).line.rings
    assert rings == (() if clips is None else (clips.ring,))

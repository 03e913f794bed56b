"""A camera's own events reach the stream once each, across outages of camera and worker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import msgspec
import pytest

from mirante.events import Event
from mirante.faults import FaultCode
from mirante.keys import key
from pipeline.cameras.onvif.device import Device
from pipeline.cameras.onvif.notices import Notice
from pipeline.cameras.state import State
from pipeline.config.camera import Camera
from pipeline.control.onvif_report import OnvifReport
from pipeline.control.registry import connect
from pipeline.worker.camera_events import CameraEvents
from pipeline.worker.heard import Heard, moment_of
from pipeline.worker.redis_server import RedisServer
from plugins.gate.calm import CAMERA
from plugins.line import Line
from tests.support.onvif_events import EventCamera
from tests.support.redis_entries import entries
from tests.support.simulated_worker import SimulatedRunner, SimulatedWorker

MOTION = "tns1:RuleEngine/CellMotionDetector/Motion"
CROSSED = "tns1:RuleEngine/LineDetector/Crossed"
Told = Callable[[int], list[Event]]


@pytest.fixture
def told(redis_server: RedisServer) -> Told:
    """Waits for a number of events."""

    def wait(number: int) -> list[Event]:
        deadline_s = time.monotonic() + 60
        while True:
            with connect(redis_server.url) as client:
                found = [fields[b"json"] for _, fields in entries(client, key("gate", "events"))]
            if len(found) >= number:
                return [msgspec.json.decode(each, type=Event) for each in found]
            assert time.monotonic() < deadline_s, found
            time.sleep(0.02)

    return wait


@pytest.fixture
def made(redis_server: RedisServer) -> Iterator[Callable[[], SimulatedWorker]]:
    workers: list[SimulatedWorker] = []

    def make() -> SimulatedWorker:
        workers.append(SimulatedWorker(redis_server.url))
        return workers[-1]

    yield make
    for worker in workers:
        worker.running.stop(10, "on request")
        worker.outbox.close(1)


def listening(worker: SimulatedWorker, camera: EventCamera) -> SimulatedRunner:
    """A camera that gives no frames, so that events need not wait for one."""
    keys = {"url": "rtsp://h/gate", "stages": [], "onvif": {}, "onvif_url": camera.url}
    before = camera.asked.count("PullMessages")
    runner = worker.start(spec=Camera.model_validate(keys))
    runner.become(State.RECONNECTING, FaultCode.REFUSED)
    camera.wait("PullMessages", before + 1)
    return runner


def report(worker: SimulatedWorker) -> OnvifReport:
    found = worker.running.report().onvif
    assert found is not None
    return found


@pytest.mark.redis
def test_each_once_though_worker_and_camera_end_in_it(
    made: Callable[[], SimulatedWorker], told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.worker.memories.RECALL_S", 60.0)
    source = {"VideoSourceConfigurationToken": "1"}
    with EventCamera(login=("user", "h0rse"), ahead=timedelta(hours=1)) as camera:
        state = partial(camera.message, MOTION, source=source, operation="Changed")
        worker = made()
        listening(worker, camera)
        began_s = time.time()
        camera.say(state({"IsMotion": "true"}), state({"IsMotion": "true"}))
        (begun,) = told(1)
        assert (begun.kind, begun.active, begun.camera) == ("camera:cell-motion", True, "gate")
        assert began_s - 5 < begun.ts < time.time(), "by our clock"
        assert "RuleEngine/CellMotionDetector/Motion: IsMotion true" in begun.reason
        worker.die()
        worker.running.stop(10, "killed")
        camera.hello = [camera.message(MOTION, {"IsMotion": "1"}, source, "Initialized")]
        worker = made()
        listening(worker, camera)
        crossed = camera.message(CROSSED, {"ObjectId": "7"}, {"Rule": "door"})
        camera.say(crossed, crossed, state({"IsMotion": "false"}))
        events = told(3)
        assert [(each.kind, each.active) for each in events[1:]] == [
            ("camera:line", None),
            ("camera:cell-motion", False),
        ], "what lasts is known, and a message that is repeated is one"
        assert (events[1].line, events[2].id) == ("door", f"{begun.id}-end")
        assert events[2].dwell_s == pytest.approx(events[2].ts - begun.ts, abs=1e-3)
        camera.hello = []
        camera.forget()
        camera.wait("CreatePullPointSubscription", 3)
        camera.wait("PullMessages", camera.asked.count("PullMessages") + 1)
        camera.say(state({"IsMotion": "true"}), camera.message("tns1:Monitoring/Usage", {}))
        assert [each.kind for each in told(4)] == [each.kind for each in events] + [
            "camera:cell-motion"
        ]
        camera.say(camera.message("tns1:Monitoring/Usage", {"Value": "3"}))
        camera.wait("PullMessages", camera.asked.count("PullMessages") + 1)
        found = report(worker)
        assert (found.state, found.reason, found.code) == ("subscribed", "", None)
        assert (found.events, found.last) == (3, "camera:cell-motion")
        assert 3500 < found.clock_off_s < 3700
        assert set(found.unknown) == {"Monitoring/Usage"}
    assert len({each.id for each in told(4)}) == 4


@pytest.mark.redis
def test_it_wakes_and_says_why_it_hears_nothing(
    made: Callable[[], SimulatedWorker], told: Told
) -> None:
    with EventCamera() as camera:
        worker = made()
        runner = listening(worker, camera)
        runner.line.calm.spares = True
        off = {"IsMotion": "false"}
        camera.say(
            camera.message("tns1:RuleEngine/TamperDetector/Tamper", {"IsTamper": "true"}),
            camera.message(MOTION, off),
        )
        camera.wait("PullMessages", camera.asked.count("PullMessages") + 1)
        assert runner.line.calm.stirs(time.monotonic()) != CAMERA, "not what was asked for"
        camera.say(camera.message(MOTION, {"IsMotion": "true"}))
        assert [each.kind for each in told(1)] == ["camera:cell-motion"]
        deadline_s = time.monotonic() + 60
        while runner.line.calm.stirs(time.monotonic()) != CAMERA:
            assert time.monotonic() < deadline_s
            time.sleep(0.02)
    deadline_s = time.monotonic() + 60
    while report(worker).state == "subscribed":
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    while report(worker).code != FaultCode.REFUSED:
        assert time.monotonic() < deadline_s, report(worker)
        time.sleep(0.02)
    assert report(worker).reason.startswith("connection refused: nothing listens at 127.0.0.1:")


def test_it_unsubscribes_also_when_it_notices_its_end_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What ends a request that waits must not end the one that unsubscribes."""
    revived = threading.Event()
    revive, abort = Device.revive, Device.abort

    def noted(device: Device) -> None:
        revive(device)
        revived.set()

    def late(device: Device) -> None:
        camera.say(camera.message(MOTION, {"IsMotion": "false"}))  # it does not wait any more
        revived.wait(0.5)
        abort(device)

    monkeypatch.setattr(Device, "revive", noted)
    monkeypatch.setattr(Device, "abort", late)
    with EventCamera() as camera:
        spec = Camera.model_validate({"url": "rtsp://h/a", "onvif": {}, "onvif_url": camera.url})
        events = CameraEvents.of("gate", spec, Line(), lambda: State.RUNNING)
        assert events is not None
        camera.wait("PullMessages")
        events.end()
        events.join(60)
        camera.wait("Unsubscribe")
        assert not camera.subscriptions


@pytest.mark.parametrize(
    "keys", [{"url": "file:a.mp4"}, {"url": "rtsp://h/a", "onvif_url": "rtsp://h/onvif"}]
)
def test_one_that_cannot_be_listened_to_says_so(keys: dict[str, str]) -> None:
    spec = Camera.model_validate({**keys, "onvif": {}})
    events = CameraEvents.of("gate", spec, Line(), lambda: State.RUNNING)
    assert events is not None
    assert (events.report.state, events.report.code) == ("failed", FaultCode.INVALID)
    assert " — expected " in events.report.reason
    events.end()
    events.join(1)


def notice(data: dict[str, str], operation: str = "Changed", second: int = 0) -> Notice:
    at = datetime(2026, 1, 1, second=second, tzinfo=UTC)
    return Notice("RuleEngine/ObjectDetection/Object", {"Rule": "yard"}, data, operation, at)


def events_of(heard: Heard, said: Notice, at_s: float = 5.0) -> list[tuple[str, bool | None]]:
    told = list(heard.told(said))
    events = [heard.event("gate", each, said, at_s) for each in told]
    return [(each.label, each.active) for each in events if each is not None]


def test_classes_that_are_no_longer_listed_have_gone() -> None:
    heard = Heard()
    assert events_of(heard, notice({"ClassTypes": "Human"})) == [("person", True)]
    assert events_of(heard, notice({"ClassTypes": "Human Vehicle"})) == [("vehicle", True)]
    assert (
        events_of(Heard(heard.saved()), notice({"ClassTypes": "Human Vehicle"}, "Initialized"))
        == []
    )
    assert events_of(heard, notice({"ClassTypes": "Vehicle"})) == [("person", False)]
    assert events_of(heard, notice({"ClassTypes": ""})) == [("vehicle", False)]


def test_what_lasted_before_a_gap_and_begins_after_it_is_two() -> None:
    heard = Heard()
    assert events_of(heard, notice({"State": "true", "Type": "Human"})) == [("person", True)]
    heard.subscribed()
    assert events_of(heard, notice({"State": "true", "Type": "Human"}, "Initialized")) == []
    heard.subscribed()
    assert events_of(heard, notice({"State": "true", "Type": "Human"})) == [("person", True)]


def test_memory_is_bounded_and_what_cannot_be_read_is_nothing_known() -> None:
    heard = Heard(b"\xc1")
    for number in range(1000):
        events_of(
            heard, Notice("A/FieldDetector/ObjectsInside", {"Rule": f"{number}"}, {"IsInside": "1"})
        )
    assert len(heard.saved()) < 64_000


def test_a_time_that_is_none_of_the_cameras_is_now() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    now_s = at.timestamp() + 3.5
    said = Notice("", at=at + timedelta(hours=1))
    assert moment_of(said, 3600.0, now_s) == at.timestamp()
    assert moment_of(said, 0.0, now_s) == now_s
    assert moment_of(Notice("", at=datetime(1970, 1, 1, tzinfo=UTC)), 0.0, now_s) == now_s
    assert moment_of(Notice(""), 0.0, now_s) == now_s
    assert moment_of(Notice("", at=at + timedelta(seconds=5)), 0.0, now_s) == now_s

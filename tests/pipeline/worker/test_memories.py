"""What the stages of a camera know: across its restarts, its removal, and from worker to worker."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from mirante.events import Event
from mirante.faults import FaultCode
from mirante.frame import FrameResult
from mirante.keys import key, owner_key
from pipeline.cameras.state import State
from pipeline.control.registry import connect
from pipeline.worker.redis_server import RedisServer
from tests.support.redis_entries import entries
from tests.support.simulated_worker import SimulatedRunner, SimulatedWorker

pytestmark = pytest.mark.redis


class Counter:
    """A part of the memory: how many frames a stage has seen."""

    def __init__(self, saved: bytes | None) -> None:
        self.frames = int(saved or b"0")

    def saved(self) -> bytes:
        return b"%d" % self.frames


def seen(camera: SimulatedRunner, end: str = "") -> None:
    """A frame of which a stage tells an event with its number."""
    counter = camera.line.memory.part("counter", Counter)

    def stage(result: FrameResult) -> FrameResult:
        counter.frames += 1
        name = str(counter.frames)
        event = Event(id=name, camera=camera.name, kind="object-new", ts=time.time())
        return replace(result, events=(event,))

    camera.frame(stage, end)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A camera does not begin without its memory, however busy the machine is."""
    monkeypatch.setattr("pipeline.worker.memories.RECALL_S", 60.0)


@pytest.fixture
def made(redis_server: RedisServer) -> Iterator[Callable[[], SimulatedWorker]]:
    workers: list[SimulatedWorker] = []

    def make() -> SimulatedWorker:
        workers.append(SimulatedWorker(redis_server.url))
        return workers[-1]

    yield make
    for worker in workers:
        worker.outbox.close(1)


@pytest.fixture
def told(redis_server: RedisServer) -> Callable[[int], list[str]]:
    """Waits for a number of events, and returns what they are."""

    def wait(number: int) -> list[str]:
        deadline_s = time.monotonic() + 60
        while True:
            with connect(redis_server.url) as client:
                found = entries(client, key("gate", "events"))
            events = [json.loads(fields[b"json"]) for _, fields in found]
            names = [e["id"] if e["kind"] == "object-new" else e["kind"] for e in events]
            if len(names) >= number:
                return names
            assert time.monotonic() < deadline_s, names
            time.sleep(0.02)

    return wait


Told = Callable[[int], list[str]]
Made = Callable[[], SimulatedWorker]


def test_numbers_go_on_in_the_next_worker_after_a_kill(made: Made, told: Told) -> None:
    first = made()
    camera = first.start()
    seen(camera)
    seen(camera)
    assert told(2) == ["1", "2"]
    first.die()
    seen(camera)  # of which Redis never heard
    camera = made().start()
    seen(camera)
    assert told(3) == ["1", "2", "3"]


def test_a_camera_that_starts_again_in_its_worker_needs_no_redis(made: Made, told: Told) -> None:
    worker = made()
    camera = worker.start()
    seen(camera)
    seen(camera, "reconnect")
    camera.stop()
    assert told(2) == ["1", "2"], "with the end of the line"
    worker.outbox.recall = None  # type: ignore[method-assign, assignment]
    seen(worker.start())
    assert told(3) == ["1", "2", "3"]


@pytest.mark.parametrize("lost", [False, True], ids=["removed", "lost to another worker"])
def test_what_another_worker_may_have_changed_is_read_again(
    made: Made, told: Told, lost: bool
) -> None:
    worker = made()
    seen(worker.start())
    told(1)
    if lost:
        worker.outbox.resign()
        worker.starter.memories.forget_all()
    else:
        worker.outbox.leave("gate")
        worker.starter.memories.forget("gate")
    other = made().start()
    seen(other)
    seen(other)
    assert told(3) == ["1", "2", "3"]
    other.line.outbox.leave("gate")  # type: ignore[union-attr]
    seen(worker.start())
    assert told(4) == ["1", "2", "3", "4"]


def test_an_outage_is_told_once_though_the_worker_is_killed_in_it(made: Made, told: Told) -> None:
    first = made()
    camera = first.start()
    camera.become(State.CONNECTING)
    camera.become(State.RECONNECTING, FaultCode.REFUSED)
    camera.become(State.RUNNING)
    seen(camera)
    camera.become(State.STALLED, FaultCode.STALLED)
    camera.become(State.RECONNECTING, FaultCode.STALLED)
    assert told(2) == ["1", "camera-lost"]
    first.die()
    camera = made().start()
    camera.become(State.RECONNECTING, FaultCode.REFUSED)
    camera.become(State.FAILED, FaultCode.UNAUTHORISED)
    camera.become(State.RUNNING)
    seen(camera)
    assert told(4) == ["1", "camera-lost", "camera-back", "2"]


def test_without_redis_it_begins_without_and_says_so(
    made: Made,
    redis_server: RedisServer,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pipeline.worker.memories.RECALL_S", 0.05)
    worker = SimulatedWorker("redis://127.0.0.1:1")
    seen(worker.start())
    assert "camera gate: begins without what its last worker knew of it: " in caplog.text
    worker.outbox.close(0)


def test_a_camera_of_a_worker_that_has_just_died_is_waited_for(
    made: Made, told: Told, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its token is good for ten seconds more, and a worker of another name may not break it."""
    first = made()
    seen(first.start())
    told(1)
    first.die()
    monkeypatch.setattr("pipeline.worker.memories.RECALL_S", 3.0)
    with connect(redis_server.url) as client:
        client.set(owner_key("gate"), "another:token.1", px=4_500)
    seen(made().start())
    assert told(2) == ["1", "2"]

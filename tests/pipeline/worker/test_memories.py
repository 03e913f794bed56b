"""What the stages of a camera know: across its restarts, its removal, and from worker to worker."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from engines.serving import Models
from mirante.events import Event
from mirante.faults import FaultCode
from mirante.keys import key, owner_key
from pipeline.cameras.sharing import SharedSessions
from pipeline.cameras.state import State, Transition
from pipeline.config.camera import Camera
from pipeline.worker.camera import CameraStarter
from pipeline.worker.redis_server import RedisServer
from plugins.line import Line
from plugins.outbox.outbox import Outbox
from tests.support.redis_entries import entries

pytestmark = pytest.mark.redis
SPEC = Camera.model_validate({"url": "rtsp://h/gate", "stages": []})


class Counter:
    """A part of the memory: how many frames a stage has seen."""

    def __init__(self, saved: bytes | None) -> None:
        self.frames = int(saved or b"0")

    def saved(self) -> bytes:
        return b"%d" % self.frames


class Runner:
    """A camera whose frames and states a test makes; each frame is an event with its number."""

    reason, code, attempt, since_ns, stream, finished = "", None, 0, 0, None, False
    state = State.CONNECTING

    def __init__(
        self,
        name: str,
        spec: Camera,
        stages: str,
        line: Line,
        on_change: Callable[[Transition], None],
        shared: SharedSessions | None = None,
    ) -> None:
        self.name, self.line, self.on_change, self._pts = name, line, on_change, 0

    def start(self) -> None:
        """Nothing runs."""

    def stop(self, timeout_s: float = 5.0, reason: str = "") -> None:
        self.become(State.STOPPED)

    def become(self, state: State, code: FaultCode | None = None) -> None:
        now_ns = time.time_ns()
        self.on_change(Transition(self.name, state, "words", 0, None, now_ns, code))

    def frame(self, publish: bool = True) -> None:
        ledger, self._pts = self.line.ledger, self._pts + 1
        counter = self.line.memory.part("counter", Counter)
        counter.frames += 1
        ledger.decoded(self._pts, time.time_ns(), "arrival", (64, 48))
        ledger.taken(self._pts)
        result: Any = ledger.get(self._pts)
        event = Event(id=f"{counter.frames}", camera=self.name, kind="object-new", ts=time.time())
        object.__setattr__(result, "events", (event,))
        if publish:
            final: Any = ledger.publish(self._pts)
            self.line.carriage.published(final)
        else:
            ledger.interrupt("reconnect")


class Worker:
    """The parts of a worker that remember; ``die`` is a SIGKILL, as far as Redis can see."""

    def __init__(self, url: str) -> None:
        self.outbox = Outbox(url)
        self.outbox.start()
        self.starter = CameraStarter(Runner, self.outbox, Models(), 1)

    def start(self) -> Runner:
        runner = self.starter.start("gate", SPEC).runner
        assert isinstance(runner, Runner)
        return runner

    def die(self) -> None:
        self.outbox._sender._stop.set()
        self.outbox._sender._thread.join()


@pytest.fixture
def made(redis_server: RedisServer) -> Iterator[Callable[[], Worker]]:
    workers: list[Worker] = []

    def make() -> Worker:
        workers.append(Worker(redis_server.url))
        return workers[-1]

    yield make
    for worker in workers:
        worker.outbox.close(1)


@pytest.fixture
def told(redis_server: RedisServer) -> Callable[[int], list[str]]:
    """Waits for a number of events, and returns what they are."""
    from pipeline.control.registry import connect

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
Made = Callable[[], Worker]


def test_numbers_go_on_in_the_next_worker_after_a_kill(made: Made, told: Told) -> None:
    first = made()
    camera = first.start()
    camera.frame()
    camera.frame()
    assert told(2) == ["1", "2"]
    first.die()
    camera.frame()  # of which Redis never heard
    camera = made().start()
    camera.frame()
    assert told(3) == ["1", "2", "3"]


def test_a_camera_that_starts_again_in_its_worker_needs_no_redis(made: Made, told: Told) -> None:
    worker = made()
    camera = worker.start()
    camera.frame()
    camera.frame(publish=False)
    camera.stop()
    assert told(2) == ["1", "2"], "with the end of the line"
    worker.outbox.recall = None  # type: ignore[method-assign, assignment]
    worker.start().frame()
    assert told(3) == ["1", "2", "3"]


@pytest.mark.parametrize("lost", [False, True], ids=["removed", "lost to another worker"])
def test_what_another_worker_may_have_changed_is_read_again(
    made: Made, told: Told, lost: bool
) -> None:
    worker = made()
    worker.start().frame()
    told(1)
    if lost:
        worker.outbox.resign()
        worker.starter.memories.forget_all()
    else:
        worker.outbox.leave("gate")
        worker.starter.memories.forget("gate")
    other = made().start()
    other.frame()
    other.frame()
    assert told(3) == ["1", "2", "3"]
    other.line.outbox.leave("gate")  # type: ignore[union-attr]
    worker.start().frame()
    assert told(4) == ["1", "2", "3", "4"]


def test_an_outage_is_told_once_though_the_worker_is_killed_in_it(made: Made, told: Told) -> None:
    first = made()
    camera = first.start()
    camera.become(State.CONNECTING)
    camera.become(State.RECONNECTING, FaultCode.REFUSED)
    camera.become(State.RUNNING)
    camera.frame()
    camera.become(State.STALLED, FaultCode.STALLED)
    camera.become(State.RECONNECTING, FaultCode.STALLED)
    assert told(2) == ["1", "camera-lost"]
    first.die()
    camera = made().start()
    camera.become(State.RECONNECTING, FaultCode.REFUSED)
    camera.become(State.FAILED, FaultCode.UNAUTHORISED)
    camera.become(State.RUNNING)
    camera.frame()
    assert told(4) == ["1", "camera-lost", "camera-back", "2"]


def test_without_redis_it_begins_without_and_says_so(
    made: Made,
    redis_server: RedisServer,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pipeline.worker.memories.RECALL_S", 0.05)
    worker = Worker("redis://127.0.0.1:1")
    worker.start().frame()
    assert "camera gate: begins without what its last worker knew of it: " in caplog.text
    worker.outbox.close(0)


def test_a_camera_of_a_worker_that_has_just_died_is_waited_for(
    made: Made, told: Told, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its token is good for ten seconds more, and a worker of another name may not break it."""
    from pipeline.control.registry import connect

    first = made()
    first.start().frame()
    told(1)
    first.die()
    monkeypatch.setattr("pipeline.worker.memories.RECALL_S", 1.0)
    with connect(redis_server.url) as client:
        client.set(owner_key("gate"), "another:token.1", px=1_500)
    made().start().frame()
    assert told(2) == ["1", "2"]

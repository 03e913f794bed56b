"""A camera of the fleet on its way from one worker to another: nothing twice, nothing stale."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

import mirante
from mirante.events import Event
from mirante.frame import FrameResult
from mirante.keys import CAMERAS, key, owner_key
from pipeline.cameras.state import State
from pipeline.control.entries import Needs
from pipeline.control.registry import Place, Registry, connect
from tests.support.redis_child import RedisChild
from tests.support.redis_entries import entries
from tests.support.simulated_worker import SimulatedRunner, SimulatedWorker
from tests.support.tcp_proxy import BOTH, TcpProxy

SPEC = {"url": "rtsp://h/gate", "stages": []}


class Counter:
    """A part of the memory: how many frames a stage has seen."""

    def __init__(self, saved: bytes | None) -> None:
        self.frames = int(saved or b"0")

    def saved(self) -> bytes:
        return b"%d" % self.frames


class Site:
    """Workers of a fleet with one camera, and what came of it."""

    def __init__(self, url: str, around: ExitStack) -> None:
        self._url, self._around = url, around
        self.client = around.enter_context(connect(url))
        self.registry = Registry(self.client)
        self.registry.add("gate", SPEC, Needs())

    def worker(self, name: str, url: str = "") -> SimulatedWorker:
        made = SimulatedWorker(url or self._url, name, self._url)
        self._around.callback(made.outbox.close, 1.0)
        return made

    def give(self, worker: str, before: str = "") -> None:
        self.registry.assign({"gate": Place(worker, before)})

    def written(self) -> list[dict[str, object]]:
        found = entries(self.client, key("gate", "detections"))
        return [json.loads(fields[b"json"]) for _, fields in found]

    def told(self) -> list[str]:
        found = entries(self.client, key("gate", "events"))
        return [json.loads(fields[b"json"])["id"] for _, fields in found]

    def wait(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.01)


@pytest.fixture
def site(server: RedisChild, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    # A frame that comes before Redis has answered goes to the other worker, and is counted here.
    monkeypatch.setattr("plugins.line.TAKE_OVER_S", 60.0)
    with ExitStack() as around:
        yield Site(server.url, around)


def look(camera: SimulatedRunner) -> None:
    """A frame of which a stage tells an event with its number."""

    def stage(result: FrameResult) -> FrameResult:
        counter = camera.line.memory.part("counter", Counter)
        counter.frames += 1
        name = str(counter.frames)
        event = Event(id=name, camera="gate", kind="object-new", ts=time.time())
        return replace(result, events=(event,))

    camera.frame(stage)
    time.sleep(0.002)


def test_a_camera_goes_over_with_its_first_frame(site: Site) -> None:
    site.give("a")
    old = site.worker("a")
    before = old.take(takes_over=False)
    before.become(State.RUNNING)
    for _ in range(5):
        look(before)
    site.give("b", "a")
    new = site.worker("b")
    after = new.take()
    after.become(State.RUNNING)
    for _ in range(5):  # the new one is not ready, and the old one goes on
        look(before)
    site.wait(lambda: len(site.written()) == 10)
    assert site.client.get(owner_key("gate")).startswith(b"a:")
    look(after)  # which takes over
    assert not after.line.takes_over
    for _ in range(5):
        look(after)
        look(before)
    site.wait(lambda: len(site.written()) == 15)
    site.wait(lambda: old.outbox.moved() == {"gate": "b"})
    assert site.told() == [str(number) for number in range(1, 16)]
    epochs = [message["epoch"] for message in site.written()]
    assert len(set(epochs)) == 2
    assert epochs == sorted(epochs, key=lambda epoch: int(str(epoch)))
    assert site.written()[10]["counts"]["dropped"]["moved"] == 1  # type: ignore[index]
    state = old.outbox.state
    assert (state.words, state.refused, sum(state.lost.values())) == ("", {"gate": 0}, 0)
    site.wait(lambda: old.moved == 5)
    with mirante.subscribe("gate", redis=site._url, since="0") as subscription:
        seen = [next(iter(subscription)) for _ in range(15)]
    assert sum(found.lost_before or 0 for found in seen) == 0


def test_the_status_of_the_new_one_waits(site: Site) -> None:
    site.give("a")
    before = site.worker("a").take(takes_over=False)
    before.become(State.RUNNING)
    look(before)
    site.wait(site.written)
    site.give("b", "a")
    after = site.worker("b").take()
    after.become(State.CONNECTING)
    after.become(State.RUNNING)
    assert len(entries(site.client, key("gate", "status"))) == 1
    look(after)
    site.wait(lambda: len(entries(site.client, key("gate", "status"))) == 2)


def test_one_that_was_cut_off_writes_nothing_more(site: Site, server: RedisChild) -> None:
    """Not even where it has the camera again by then: it begins anew."""
    with TcpProxy(server.socket) as proxy:
        site.give("a")
        old = site.worker("a", proxy.url)
        before = old.take(takes_over=False)
        look(before)
        site.wait(site.written)
        proxy.hold(*BOTH)
        look(before)  # on its way
        site.give("b", "a")
        new = site.worker("b")
        after = new.take()
        look(after)
        look(after)
        site.wait(lambda: len(site.written()) == 2)
        site.give("a", "b")
        new.outbox._sender._stop.set()  # dies with its claim
        new.outbox._sender._thread.join()
        proxy.hold()
        look(before)
        site.wait(lambda: old.outbox.moved() == {"gate": "a"})
        assert len(site.written()) == 2
        old.outbox.resign("gate")
        old.starter.memories.forget("gate")
        again = old.take()
        look(again)
        look(again)
        site.wait(lambda: len(site.written()) == 3)
    epochs = [int(str(message["epoch"])) for message in site.written()]
    assert epochs == sorted(set(epochs))
    assert len(site.told()) == len(set(site.told()))


def test_a_claim_is_taken_from_the_worker_before_alone(site: Site) -> None:
    site.give("a")
    before = site.worker("a").take(takes_over=False)
    look(before)
    site.wait(site.written)
    site.give("b", "c")
    new = site.worker("b")
    after = new.take()
    after.line.outbox = None  # its frames are not asked for
    assert new.outbox.take_over("gate", 0.0) is None
    site.wait(lambda: "another publisher" in new.outbox.state.words)
    assert new.outbox.take_over("gate", 0.7) is None, "nor when it claims again"
    site.give("b", "a")
    site.wait(lambda: new.outbox.take_over("gate", 1.0))


def test_what_comes_late_is_had_by_asking_again(site: Site) -> None:
    """A Redis that is slower than each wait is not asked anew each time."""
    site.give("b", "a")
    new = site.worker("b")
    new.take().line.outbox = None  # its frames are not asked for
    site.wait(lambda: new.outbox.take_over("gate", 0.0) is not None)
    (lane,) = (lane for lane in new.outbox._ring.of("gate") if lane.is_of_events)
    assert lane.recall is None


def test_what_was_read_behind_a_claim_that_was_lost_is_read_again(site: Site) -> None:
    site.give("b", "a")
    new = site.worker("b")
    new.take().line.outbox = None
    new.outbox._ring.free("gate")
    asked = new.outbox._ring.recall("gate", is_kept=True)
    site.wait(lambda: asked.saved is not None)
    assert new.outbox._ring.recall("gate", is_kept=True) is asked
    site.client.delete(owner_key("gate"))
    site.wait(lambda: new.outbox._ring.recall("gate", is_kept=True) is not asked)


def test_a_registry_that_is_lost_keeps_a_camera_waiting(site: Site) -> None:
    site.give("a")
    entry = site.client.hget(CAMERAS, "gate")
    site.client.hdel(CAMERAS, "gate")
    worker = site.worker("a")
    camera = worker.take(takes_over=False)
    look(camera)
    site.wait(lambda: worker.outbox.state.connected)
    assert worker.outbox.moved() == {}
    assert site.written() == []
    site.client.hset(CAMERAS, "gate", entry)
    site.wait(site.written)

"""Thirty objects that come, cross a line and go, under each fault: each told once, in order.

``mirante bench once`` does the same with real workers, and a thousand crossings.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from benchmarks.once.crowd import Crowd
from benchmarks.once.tally import KINDS, Tally, tally
from mirante.detections import Detections
from mirante.events import Event
from mirante.frame import FrameResult
from mirante.keys import key
from plugins.events.options import EventsOptions
from plugins.events.stage import EventsStage
from plugins.frame import Frame
from plugins.memory import Memory
from plugins.track.options import TrackOptions
from plugins.track.stage import TrackStage
from plugins.zones.stage import ZonesStage
from tests.support.redis_child import RedisChild
from tests.support.redis_entries import entries
from tests.support.simulated_worker import SimulatedRunner, SimulatedWorker

CROWD = Crowd(crossings=30, rate=4.0, seen_s=4.0)
RULES = json.dumps({"lines": {"door": {"from": [0.5, 1], "to": [0.5, 0]}}})
LOST_S = 5.0  # for which an object that is not seen is looked for
STEP_S = 0.125  # of the camera's clock, between two frames
PIXELS = Frame(np.zeros((1, 1, 3), np.uint8))


class Site:
    """A camera before the crowd, on a clock of its own that runs fast."""

    def __init__(self, server: RedisChild) -> None:
        self.server = server
        self.begun_ns = time.time_ns()
        self.passed_s = -CROWD.seen_s
        self.workers: list[SimulatedWorker] = []
        self.start_worker()

    def start_worker(self) -> None:
        self.workers.append(SimulatedWorker(self.server.url))
        self.start_camera()

    def start_camera(self) -> None:
        self.camera: SimulatedRunner = self.workers[-1].start()
        self.use(self.camera.line.memory)

    def use(self, memory: Memory) -> None:
        """Let stages with this memory look at the frames."""
        track = TrackStage(options=TrackOptions(lost_s=LOST_S), memory=memory)
        happens = EventsOptions(lost_s=LOST_S, images=False)
        events = EventsStage(happens, memory, self.camera.line.carriage)
        self.stages = (track, ZonesStage(RULES, memory), events)

    def frames(self, number: int, *ends: str) -> None:
        """So many frames, which end so in turns."""
        for index in range(number):
            self.passed_s += STEP_S
            at_ns = self.begun_ns + round(self.passed_s * 1e9)
            self.camera.frame(self._stages, ends[index % len(ends)] if ends else "", at_ns)
            time.sleep(0.001)

    def _stages(self, result: FrameResult) -> FrameResult:
        _, xyxy = CROWD.at(self.passed_s)
        count = len(xyxy)
        scores, classes = np.full(count, 0.9, np.float32), np.zeros(count, np.int32)
        found = Detections(xyxy, scores, classes, ("person",))
        result = replace(result, detections=found)
        for stage in self.stages:
            result = stage(PIXELS, result)
        return result

    def rest(self) -> None:
        while self.passed_s < CROWD.seconds + LOST_S + 1:
            self.frames(1)

    def tally(self) -> Tally:
        """What came of it, once the last has come."""
        until_s, found = time.monotonic() + 60, list[Event]()
        while (
            sum(each.kind in KINDS for each in found) < len(KINDS) * CROWD.crossings
            and time.monotonic() < until_s
        ):
            time.sleep(0.05)
            raw = entries(self.server.client(), key("gate", "events"))
            found = [msgspec.json.decode(fields[b"json"], type=Event) for _, fields in raw]
        return tally(found, CROWD, self.begun_ns / 1e9)

    def skip(self, seconds: float) -> None:
        """Nobody looks for so long."""
        self.passed_s += seconds


def kill(site: Site) -> None:
    site.workers[-1].die()
    site.skip(2.0)
    site.start_worker()


def kill_with_unsent_events(site: Site) -> None:
    site.server.freeze(True)
    site.frames(10)
    site.workers[-1].die()
    site.server.freeze(False)
    site.skip(1.0)
    site.start_worker()


def restart(site: Site) -> None:
    site.camera.stop()
    site.workers[-1].outbox.close(60)
    site.skip(1.0)
    site.start_worker()


def takeover(site: Site) -> None:
    """Another begins while this one believes that the camera is its own."""
    stale = (site.camera, site.stages)
    site.start_worker()
    site.frames(2)
    fresh = (site.camera, site.stages)
    site.camera, site.stages = stale
    site.frames(3)
    site.camera, site.stages = fresh
    site.skip(-3 * STEP_S)


def empty_redis(site: Site) -> None:
    site.server.kill()
    site.frames(20)
    site.server.start()


def freeze_redis(site: Site) -> None:
    site.server.freeze(True)
    site.frames(20)
    time.sleep(1.2)  # longer than an answer may take
    site.server.freeze(False)


def reconnect(site: Site) -> None:
    site.frames(1, "reconnect")
    site.skip(1.5)


def settings(site: Site) -> None:
    site.frames(1, "reconnect")
    site.camera.stop()
    site.skip(0.5)
    site.start_camera()


def drop_frames(site: Site) -> None:
    site.frames(20, "drop", "fail", "", "fail")


FAULTS = (
    pytest.param(kill, marks=pytest.mark.full),  # the next one kills, too
    kill_with_unsent_events,
    restart,
    takeover,
    empty_redis,
    freeze_redis,
    reconnect,
    settings,
    drop_frames,
)


@pytest.fixture
def site(server: RedisChild, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    # A camera whose memory comes later begins without it, and what that costs is counted here.
    monkeypatch.setattr("pipeline.worker.memories.RECALL_S", 60.0)
    made = Site(server)
    yield made
    for worker in made.workers:
        worker.outbox.close(0)


@pytest.mark.own_redis
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__.replace("_", " "))
def test_each_object_and_cause_is_told_once(site: Site, fault: Callable[[Site], None]) -> None:
    for _ in range(2):
        site.frames(40)
        fault(site)
    site.rest()
    found = site.tally()
    assert found.events == dict.fromkeys(KINDS, CROWD.crossings)
    assert (found.lost, found.doubled, found.wrong, found.unordered) == (0, 0, 0, 0)


def test_without_the_memory_events_are_lost_and_doubled(site: Site) -> None:
    """The proof is one: what it holds against is found."""
    for _ in range(2):
        site.frames(40)
        site.workers[-1].starter.memories.forget("gate")
        site.camera.line.memory._parts.clear()
        site.skip(2.0)
        site.use(Memory())
    site.rest()
    until_s = time.monotonic() + 60
    while site.workers[-1].outbox.state.depth and time.monotonic() < until_s:
        time.sleep(0.01)
    raw = entries(site.server.client(), key("gate", "events"))
    events = [msgspec.json.decode(fields[b"json"], type=Event) for _, fields in raw]
    found = tally(events, CROWD, site.begun_ns / 1e9)
    assert found.lost > 5
    assert found.doubled > 5

"""A camera's events and what its stages know by then: one step, whatever breaks."""

from __future__ import annotations

import random
from typing import Any

import pytest

from mirante.counts import Digits
from mirante.keys import EntryId
from plugins.outbox.lane import EVENT_KINDS, Entry, Lane
from plugins.outbox.ring import Ring
from plugins.outbox.step import Step, joined
from tests.support.seeds import seeds


def fields(number: int, image: bytes = b"") -> Any:
    event = {"events": {"json": b'{"id":"%d"}' % number}}
    return {"images": {"jpeg": image}, **event} if image else event


def step(number: int) -> Step:
    """As of an event: the memory is its number, and so is the count."""
    digits = Digits("counts", "new", 0, str(number))
    return Step.of(b"%d" % number, [digits])


class Server:
    """What Redis would hold; it takes a batch with its step, or nothing."""

    def __init__(self) -> None:
        self.ids: list[EntryId] = []
        self.numbers: list[int] = []
        self.memory, self.count = 0, 0

    @property
    def last(self) -> EntryId:
        return self.ids[-1] if self.ids else EntryId(0, 0)

    def floors(self) -> Any:
        return dict.fromkeys(EVENT_KINDS, self.last)

    def write(self, lane: Lane, batch: list[Entry]) -> None:
        for entry in batch:
            assert entry.id > self.last, "Redis would refuse it"
            self.ids.append(entry.id)
            self.numbers.append(int(entry.fields["events"]["json"].split(b'"')[3]))
        if (whole := joined([*(e.step for e in batch), lane.flying_step])) is not None:
            self.memory = int(whole.memory)
            self.count = max(int(each.text) for each in whole.counts.values())

    def check(self) -> None:
        assert self.memory == self.count == (self.numbers[-1] if self.numbers else 0)


@pytest.mark.parametrize("seed", seeds(40, of=120))
def test_the_memory_knows_of_exactly_the_events_that_redis_has(seed: int) -> None:
    chance = random.Random(seed)
    lane, server, number = Lane("gate", EVENT_KINDS, 60.0), Server(), 0
    lane.sync(server.floors())
    for turn in range(chance.randint(20, 150)):
        for _ in range(chance.randint(0, 3)):
            events = chance.randint(0, 4)  # of one frame; or a moment without one
            put = [(fields(number + 1 + n), None) for n in range(events)]
            number += events
            lane.put_events(turn, put, step(number))
        if not lane.synced:
            if chance.random() < 0.4:
                lane.sync(server.floors())
            continue
        batch = lane.take(chance.randint(1, 6), chance.randint(1, 5000))
        broken = chance.random()
        if broken < 0.6:
            server.write(lane, batch)
            lane.land(list(batch), [])
        elif broken < 0.75:  # Redis answers that it wrote nothing
            lane.land([], [], stepped=False)
        else:  # the connection breaks, before or behind the script
            if chance.random() < 0.5:
                server.write(lane, batch)
            lane.synced = False
        server.check()
    lane.sync(server.floors())
    while lane.is_waiting:
        batch = lane.take(5, 1 << 20)
        server.write(lane, batch)
        lane.land(list(batch), [])
        server.check()
    assert server.numbers == list(range(1, number + 1))


def test_what_a_replica_had_not_got_comes_again_with_its_newest_step() -> None:
    lane, server = Lane("gate", EVENT_KINDS, 60.0), Server()
    lane.sync(server.floors())
    for number in range(1, 6):
        lane.put_events(number, [(fields(number), None)], step(number))
    taken = lane.take(9, 1 << 20)
    server.write(lane, taken)
    lane.land(list(taken), [])
    lane.put_events(6, [], Step.of(b"6", []))  # a second later, without an event
    assert lane.take(9, 1 << 20) == []
    lane.land([], [])
    lane.synced = False
    kept, behind = Server(), taken[1].id
    kept.ids, kept.numbers = [behind], [2]
    lane.sync(kept.floors())
    kept.write(lane, lane.take(9, 1 << 20))
    assert (kept.numbers, kept.memory) == ([2, 3, 4, 5], 6)


def test_events_outlive_the_frames_of_an_outage_and_images_go_first() -> None:
    lost: list[int] = []
    ring = Ring(0.0, 40_000, 60.0, lambda camera, frames: lost.append(frames), None, 60.0)
    gone = 0
    for number in range(30):
        ring.put("gate", number, number, {"detections": {"json": b"d" * 1000}})
        gone += ring.put_events("gate", number, [(fields(number, b"j" * 4000), None)], step(number))
    ring.expire()
    [lane] = ring.event_lanes()
    waiting = [int(entry.fields["events"]["json"].split(b'"')[3]) for entry in lane.unsent]
    assert (sum(lost), gone + len(waiting)) == (30, 30)
    assert waiting == list(range(gone, 30))
    assert len(waiting) > 10, "without images many more fit"
    assert not any("images" in entry.fields for entry in list(lane.unsent)[:-2])
    assert lane.size <= 20_000
    assert lane.lost == gone

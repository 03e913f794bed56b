"""The ring against a stream that is a list, broken at random: what comes out is what went in."""

import random
from typing import Any

import pytest

from mirante.keys import EntryId, Kind
from plugins.outbox.lane import FRAME_KINDS, Entry, Lane
from plugins.outbox.ring import HELD, HOLD_S, Ring
from tests.support.seeds import seeds

NONE: dict[Kind, EntryId] = {"masks": EntryId(0, 0), "detections": EntryId(0, 0)}


class Stream:
    """What Redis would hold: IDs, each above the one before."""

    def __init__(self) -> None:
        self.ids: list[EntryId] = []

    def floors(self) -> Any:
        last = self.ids[-1] if self.ids else EntryId(0, 0)
        return {"masks": last, "detections": last}

    def add(self, entries: list[Entry]) -> None:
        for entry in entries:
            assert not self.ids or entry.id > self.ids[-1], "Redis would refuse it"
            self.ids.append(entry.id)


def lane(keep: bool = False) -> Lane:
    made = Lane("gate", FRAME_KINDS, 60.0)
    if keep:
        made.sync(dict(NONE))
    return made


def put(made: Lane, number: int, ms: int | None = None, now_s: float = 0.0) -> None:
    fields: Any = {"masks": {"json": b"m"}, "detections": {"json": b"d"}}
    made.put(1000 + 10 * number if ms is None else ms, number, fields, now_s)


@pytest.mark.parametrize("seed", seeds(50, of=150))
def test_whatever_breaks_each_frame_is_in_the_stream_once_or_counted_as_lost(seed: int) -> None:
    chance = random.Random(seed)
    made, stream, number, now_s, gone = lane(), Stream(), 0, 0.0, 0
    made.sync(stream.floors())
    for _ in range(chance.randint(20, 120)):
        now_s += 1
        for _ in range(chance.randint(0, 8)):
            put(made, number, now_s=now_s)
            number += 1
        while made.oldest_s() < now_s - 15:
            oldest = (made.kept or made.unsent)[0]
            gone += oldest.acked and oldest.id not in stream.ids  # Redis had it and lost it
            made.evict()
        if not made.synced:
            if chance.random() < 0.4:
                made.sync(stream.floors())
            continue
        batch = made.take(chance.randint(1, 20), chance.randint(1, 20_000))
        broken = chance.random()
        if broken < 0.7:
            stream.add(batch)
            made.land(list(batch), [])
        elif broken < 0.9:  # the connection breaks, before or behind the transaction
            stream.add(batch if chance.random() < 0.5 else [])
            made.synced = False
        else:  # Redis comes back with less than it had, which the ring still holds
            stream.add(batch if chance.random() < 0.5 else [])
            held = [entry.id for entry in [*made.kept, *made.flying, *made.unsent]]
            while stream.ids and stream.ids[-1] in held and chance.random() < 0.8:
                stream.ids.pop()
            made.synced = False
    made.sync(stream.floors())
    while batch := made.take(7, 1 << 20):
        stream.add(batch)
        made.land(list(batch), [])
    numbers = [entry_id.seq for entry_id in stream.ids]
    assert numbers == sorted(set(numbers))
    assert len(numbers) + made.lost + gone == number
    assert made.refused == 0
    assert made.sent == len(numbers) + gone
    assert made.size == sum(entry.size for entry in made.kept)


def test_waiting_entries_are_stamped_above_what_an_earlier_run_left() -> None:
    made = lane()
    for number in range(3):
        put(made, number)
    floor = EntryId(10**9, 77)
    assert made.sync({"masks": EntryId(5, 5), "detections": floor}) == 0
    assert [entry.id for entry in made.unsent] == [EntryId(10**9 + 1, n) for n in range(3)]
    put(made, 3)
    assert made.unsent[-1].id == EntryId(10**9 + 1, 3)


def test_one_of_two_streams_lost() -> None:
    made = lane(keep=True)
    for number in range(4):
        put(made, number)
    made.land(list(made.take(4, 1 << 20)), [])
    made.synced = False
    made.sync({"masks": EntryId(0, 0), "detections": made.last})
    assert len(made.unsent) == 4
    assert made.floors["masks"] < made.unsent[0].id <= made.floors["detections"]
    assert made.sent == 4


@pytest.mark.parametrize("above", [1, 1_000_000])
def test_a_stream_that_another_writes_refuses_what_lies_below(above: int) -> None:
    made = lane(keep=True)
    put(made, 0)
    made.land(list(made.take(1, 1 << 20)), [])
    for number in (1, 2):
        put(made, number)
    made.synced = False
    foreign = EntryId(made.unsent[0].id.ms + above, 999)
    lost = made.sync({"masks": EntryId(0, 0), "detections": foreign})
    assert lost == made.refused == made.lost == (1 if above == 1 else 2)
    assert made.sent == 1


def test_frames_that_redis_once_took_are_not_lost_when_they_are_forgotten() -> None:
    made = lane(keep=True)
    put(made, 0)
    made.land(list(made.take(1, 1 << 20)), [])
    made.synced = False
    made.sync(dict(NONE))  # Redis came back empty: to be sent again
    assert len(made.unsent) == 1
    assert made.evict() == 0
    put(made, 1)
    assert made.evict() == 1
    assert made.lost == 1


def test_the_horizon_is_the_id_of_its_time() -> None:
    made = lane(keep=True)
    for number in range(100):
        put(made, number, now_s=float(number))
    assert made.horizon(20.0, 99.0) == EntryId(1000 + 10 * 79, 79)
    assert made.horizon(98.0, 99.0) < EntryId(1000 + 10 * 40, 0)
    young = lane(keep=True)
    put(young, 0, ms=100_000)
    assert young.horizon(60.0, 0.0) == EntryId(40_000, 0)


def test_the_horizon_is_asked_for_while_others_put() -> None:
    """Frame threads put under a lock that the sender, which asks, does not hold."""
    made = lane()

    class Put(float):
        """A moment at which, while it is looked at, another frame is put."""

        def __le__(self, other: float) -> bool:
            made.marks.append((99.0, EntryId(99, 0)))
            return super().__le__(other)

    made.marks.extend([(Put(1.0), EntryId(1, 0)), (Put(2.0), EntryId(2, 0))])
    assert made.horizon(5.0, 10.0) == EntryId(2, 0)


def test_states_that_redis_took_are_kept_no_longer_than_frames(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [100.0]
    monkeypatch.setattr("plugins.outbox.ring.time.monotonic", lambda: clock[0])
    ring = Ring(30.0, 1 << 20, 60.0, lambda camera, frames: None)
    for number in range(50):
        ring.put_status("gate", number, b"{}")
    (states,) = ring.lanes.values()
    states.land(states.take(40, 1 << 20), [])
    clock[0] += 31.0
    ring.expire()
    assert (len(states.kept), len(states.unsent)) == (0, 10)  # Redis may have been away since
    assert states.size == sum(entry.size for entry in states.unsent)


def test_only_the_newest_states_wait() -> None:
    ring = Ring(30.0, 1 << 20, 60.0, lambda camera, frames: None)
    for number in range(1, 5000):
        ring.put_status("gate", number, b"{}")
    (states,) = ring.lanes.values()
    assert 3600 <= len(states.unsent) < 5000
    assert states.unsent[-1].id.ms == 4999
    assert states.size == sum(entry.size for entry in states.unsent)


@pytest.mark.parametrize(
    ("holds", "most_bytes", "woken"),
    [(True, 1 << 20, 2), (False, 1 << 20, 17), (True, 64 * 4 * 601, 14)],
)
def test_results_that_may_wait_wake_the_sender_once_there_are_enough(
    holds: bool, most_bytes: int, woken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also once they take much of the room: what is held must push nothing out."""
    ring = Ring(30.0, most_bytes, 60.0, lambda camera, frames: None)
    calls: list[None] = []
    monkeypatch.setattr(ring.changed, "notify", lambda: calls.append(None))
    for number in range(HELD + 1):
        ring.put("gate", 1000 + number, number, {"detections": {"json": b"d"}}, holds=holds)
    assert len(calls) == woken
    assert ring.depth == HELD + 1
    (frames,) = ring.lanes.values()
    assert frames.held_until_s == 0.0


def test_what_is_held_may_wait_since_the_first_of_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("plugins.outbox.ring.time.monotonic", lambda: clock[0])
    ring = Ring(30.0, 1 << 20, 60.0, lambda camera, frames: None)
    for number in range(3):
        ring.put("gate", number, number, {"detections": {"json": b"d"}}, holds=True)
        clock[0] += 0.1
    (frames,) = ring.lanes.values()
    assert frames.held_until_s == 100.0 + HOLD_S
    ring.put("gate", 3, 3, {"detections": {"json": b"d"}})
    ring.put("gate", 4, 4, {"detections": {"json": b"d"}}, holds=True)
    assert frames.held_until_s == 0.0, "one that may not wait takes the others along"
    frames.land(frames.take(5, 1 << 20), [])
    ring.put("gate", 5, 5, {"detections": {"json": b"d"}}, holds=True)
    assert frames.held_until_s == clock[0] + HOLD_S
    ring.leave("gate")
    assert frames.held_until_s == 0.0

"""The trace of a sampled frame ends once, with what became of the frame."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from mirante.frame import FrameResult
from mirante.keys import EntryId
from plugins.ledger import Ledger
from plugins.outbox.lane import FRAME_KINDS, Lane
from plugins.outbox.outbox import Outbox
from plugins.outbox.ring import Ring
from plugins.trace import FAILED, PUBLISHED, Trace

SIZE = (640, 360)
NOWHERE = "redis://127.0.0.1:1"


class Sampled:
    """Samples every frame, and keeps what came of it."""

    def __init__(self) -> None:
        self.ended: list[Trace] = []

    def __call__(self, result: FrameResult, decoded_ns: int) -> Trace:
        return Trace(result, decoded_ns, self.ended.append)

    @property
    def fates(self) -> dict[int, str]:
        return {trace.frame.seq: trace.fate for trace in self.ended}


@pytest.fixture
def sampled() -> Sampled:
    return Sampled()


@pytest.fixture
def ledger(sampled: Sampled) -> Ledger:
    return Ledger("gate", sample=sampled)


def admit(ledger: Ledger, *numbers: int) -> None:
    for n in numbers:
        ledger.decoded(n, 1_000 + n, "arrival", SIZE, arrived_ns=time.time_ns() - 10**6)
        ledger.admitted(n)


def test_the_steps_of_a_frame_follow_each_other(ledger: Ledger, sampled: Sampled) -> None:
    admit(ledger, 0)
    ledger.taken(0)
    ledger.get(0)
    trace = ledger.trace_of(0)
    assert trace is not None
    trace.begin("stage")
    trace.close({"infer": 2.0})
    ledger.publish(0)
    lane = Lane("gate", FRAME_KINDS, 60.0)
    lane.put(1, 0, {"detections": {"json": b"{}"}}, 0.0, trace)
    assert sampled.ended == []
    lane.land(lane.take(1, 1), [])
    (ended,) = sampled.ended
    assert (ended.fate, ended.entry_id, ended.frame.seq) == (PUBLISHED, "1-0", 0)
    names = ["video_decode", "queue", "convert", "stage", "outbox"]
    assert [step.name for step in ended.steps] == names
    assert ended.steps[3].took_ms == {"infer": 2.0}
    times = [ns for step in ended.steps for ns in (step.began_ns, step.ended_ns)]
    assert times == sorted(times)
    assert ended.ended_ns >= times[-1]


def test_what_drops_a_frame_is_its_fate(ledger: Ledger, sampled: Sampled) -> None:
    admit(ledger, 0, 1, 2)
    ledger.taken(1)  # frame 0 was overtaken in the queue
    ledger.drop(1, "stage")
    ledger.taken(2)
    ledger.fail(2, "ValueError: no")
    admit(ledger, 3, 4)
    ledger.decoded(3, 9, "arrival", SIZE)  # under the PTS of another
    ledger.interrupt("reconnect")
    assert sampled.fates == {
        0: "queue", 1: "stage", 2: FAILED, 3: "duplicate_pts", 4: "reconnect",
    }  # fmt: skip
    assert next(t.error for t in sampled.ended if t.fate == FAILED) == "ValueError: no"


def test_a_stage_that_swallows_a_frame_ends_its_trace(ledger: Ledger, sampled: Sampled) -> None:
    admit(ledger, 0)
    ledger.taken(0)
    admit(ledger, 1)
    ledger.taken(1)
    ledger.publish(1)
    assert sampled.fates == {0: "stage"}


def test_a_frame_dropped_by_the_rate_limit_is_not_sampled(ledger: Ledger, sampled: Sampled) -> None:
    ledger.decoded(0, 1, "arrival", SIZE)
    ledger.drop(0, "rate")
    assert sampled.ended == []


def test_a_frame_that_the_ring_forgets_ends_as_lost(sampled: Sampled) -> None:
    ring = Ring(30.0, 1, 60.0, lambda camera, frames: None)
    result = FrameResult("gate", 7, 0, 0, "arrival", *SIZE)
    ring.put("gate", 1, 7, {"detections": {"json": b"{}"}}, sampled(result, 0))
    assert sampled.fates == {7: "outbox"}


def test_what_is_left_at_the_end_is_lost(sampled: Sampled) -> None:
    outbox = Outbox(NOWHERE)
    result = FrameResult("gate", 1, 0, 10**9, "arrival", *SIZE)
    outbox.publish(result, trace=sampled(result, 0))
    outbox.close(0.0)
    late = replace(result, seq=2)
    outbox.publish(late, trace=sampled(late, 0))
    assert sampled.fates == {1: "outbox", 2: "outbox"}
    assert [step.name for step in sampled.ended[0].steps] == ["encode", "outbox"]


def test_another_publishers_stream_ends_it_as_lost(sampled: Sampled) -> None:
    lane = Lane("gate", FRAME_KINDS, 60.0)
    lane.sync(dict.fromkeys(FRAME_KINDS, EntryId(0, 0)))
    result = FrameResult("gate", 1, 0, 0, "arrival", *SIZE)
    lane.put(5, 1, {"detections": {"json": b"{}"}}, 0.0, sampled(result, 0))
    lane.sync(dict.fromkeys(FRAME_KINDS, EntryId(9, 9)))
    assert sampled.fates == {1: "outbox"}

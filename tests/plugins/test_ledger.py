"""Every frame ends in exactly one counter, whatever happens to it."""

from __future__ import annotations

import random
from dataclasses import replace
from unittest.mock import ANY

import pytest

from plugins.ledger import Ledger

SIZE = (640, 360)


def decode(ledger: Ledger, *numbers: int) -> None:
    for n in numbers:
        ledger.decoded(n * 40, 1_000_000_000 + n, "arrival", SIZE)


def run_through(ledger: Ledger, n: int) -> None:
    ledger.admitted(n * 40)
    ledger.taken(n * 40)


def test_a_published_frame_carries_the_account_as_of_itself() -> None:
    ledger = Ledger("gate")
    decode(ledger, 0, 1, 2)
    run_through(ledger, 0)
    result = ledger.publish(0)
    assert result is not None
    assert (result.camera, result.seq, result.width, result.height) == ("gate", 0, 640, 360)
    assert result.counts.decoded == 1  # not 3: the others come later
    assert result.counts.published == 1
    assert result.counts.balanced


def test_a_frame_overtaken_at_the_rate_limit_was_dropped_by_it() -> None:
    ledger = Ledger("gate")
    decode(ledger, 0, 1, 2)
    run_through(ledger, 0)
    run_through(ledger, 2)
    ledger.publish(0)
    result = ledger.publish(80)
    assert result is not None
    assert result.counts.dropped == {"rate": 1, "queue": 0}
    assert result.counts.decoded == 3
    assert result.counts.balanced


def test_a_frame_overtaken_at_the_queue_was_dropped_by_it() -> None:
    ledger = Ledger("gate")
    decode(ledger, 0, 1)
    ledger.admitted(0)
    ledger.admitted(40)
    ledger.taken(40)
    result = ledger.publish(40)
    assert result is not None
    assert result.counts.dropped == {"rate": 0, "queue": 1}
    assert result.counts.balanced


def test_a_drop_later_than_the_frame_is_told_by_a_later_message() -> None:
    ledger = Ledger("gate")
    decode(ledger, 0)
    run_through(ledger, 0)
    decode(ledger, 1, 2)
    run_through(ledger, 2)  # frame 1 is dropped while frame 0 is still in its stages
    first, second = ledger.publish(0), ledger.publish(80)
    assert first is not None
    assert second is not None
    assert first.counts.dropped == {"rate": 0, "queue": 0}
    assert second.counts.dropped == {"rate": 1, "queue": 0}


def test_a_frame_that_a_stage_swallowed_is_found_out() -> None:
    ledger = Ledger("gate")
    decode(ledger, 0, 1)
    run_through(ledger, 0)
    run_through(ledger, 1)
    result = ledger.publish(40)
    assert result is not None
    assert result.counts.dropped["stage"] == 1
    assert ledger.publish(0) is None  # it cannot come back


def test_failed_lost_and_interrupted_frames() -> None:
    ledger = Ledger("gate")
    decode(ledger, 0, 1, 2, 3)
    run_through(ledger, 0)
    ledger.fail(0)
    run_through(ledger, 1)
    ledger.publish(40)
    ledger.lost(1)
    ledger.interrupt("reconnect")
    counts, in_flight = ledger.counts()
    assert (counts.decoded, counts.published, counts.failed, in_flight) == (4, 0, 1, 0)
    assert counts.dropped == {"rate": 0, "queue": 0, "outbox": 1, "reconnect": 2}
    assert counts.balanced


def test_damaged_frames_are_counted_as_of_each_frame() -> None:
    ledger = Ledger("gate")
    for n, damaged in enumerate([True, True, False]):
        ledger.decoded(n * 40, n, "arrival", SIZE, damaged=damaged)
    ledger.drop(0, "damaged")
    run_through(ledger, 1)
    run_through(ledger, 2)
    second, third = ledger.publish(40), ledger.publish(80)
    assert second is not None
    assert third is not None
    assert (second.damaged, second.counts.damaged, second.counts.dropped["damaged"]) == (True, 2, 1)
    assert (third.damaged, third.counts.damaged) == (False, 2)
    assert third.counts.balanced
    assert ledger.counts()[0].damaged == 2


def test_drops_alone_are_settled_at_once() -> None:
    ledger = Ledger("gate")
    for n in range(100):
        decode(ledger, n)
        ledger.drop(n * 40, "damaged")
    counts, in_flight = ledger.counts()
    assert (counts.decoded, counts.dropped["damaged"], in_flight) == (100, 100, 0)
    assert not ledger._ahead


def test_a_stage_cannot_make_a_damaged_frame_whole() -> None:
    ledger = Ledger("gate")
    ledger.decoded(0, 1, "arrival", SIZE, damaged=True)
    run_through(ledger, 0)
    result = ledger.get(0)
    assert result is not None
    ledger.put(0, replace(result, damaged=False))
    assert ledger.publish(0) == replace(result, damaged=True, counts=ANY)


def test_two_frames_with_one_timestamp_are_two_frames() -> None:
    ledger = Ledger("gate")
    decode(ledger, 0, 0)
    run_through(ledger, 0)
    result = ledger.publish(0)
    assert result is not None
    assert result.seq == 1
    assert result.counts.dropped["duplicate_pts"] == 1
    assert result.counts.balanced


@pytest.mark.parametrize("seed", range(20))
def test_the_equation_holds_in_every_message_of_a_random_life(seed: int) -> None:
    rng = random.Random(seed)
    ledger = Ledger("gate")
    waiting: list[int] = []  # one place, leaky
    handed = 0
    for n in range(400):
        decode(ledger, n)
        if rng.random() < 0.2:
            continue  # the rate limit
        ledger.admitted(n * 40)
        waiting = [n]
        if rng.random() < 0.5:
            continue  # the stages are busy; the next frame pushes this one out
        taken = waiting.pop()
        ledger.taken(taken * 40)
        fate = rng.choice(["publish"] * 6 + ["fail", "drop", "swallow", "interrupt", "lose"])
        if fate == "fail":
            ledger.fail(taken * 40)
        elif fate == "drop":
            ledger.drop(taken * 40, "stage")
        elif fate == "interrupt":
            ledger.interrupt("reconnect")
        elif fate in {"publish", "lose"}:
            result = ledger.publish(taken * 40)
            assert result is not None
            handed += 1
            assert result.seq == n
            assert result.counts.decoded == n + 1
            assert result.counts.balanced
            if fate == "lose":
                ledger.lost(1)
        live, in_flight = ledger.counts()
        assert live.balanced
        assert live.decoded + in_flight == n + 1
    live, _ = ledger.counts()
    assert live.published + live.dropped.get("outbox", 0) == handed


def test_frames_behind_a_stage_that_hangs_do_not_pile_up() -> None:
    ledger = Ledger("gate")
    decode(ledger, 0)
    run_through(ledger, 0)
    for n in range(1, 500):
        decode(ledger, n)
        ledger.admitted(n * 40)
    counts, in_flight = ledger.counts()
    assert in_flight <= 20
    assert counts.dropped["queue"] >= 480
    assert ledger.busy_s() > 0

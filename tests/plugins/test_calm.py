"""What a camera's gate and decoder tell each other, and what is told of it."""

from __future__ import annotations

import threading
import time

import pytest

from plugins.gate.calm import GATE, LONG_S, MOTION, REQUEST, Calm
from plugins.thread_times import ThreadTimes


def test_it_is_calm_while_a_gate_says_so() -> None:
    calm = Calm()
    assert calm.stirs(100.0) == GATE, "no gate has spoken"
    calm.noted(False, 100.0)
    calm.noted(True, 104.0)
    assert calm.stirs(100.0 + LONG_S - 0.1) == GATE
    assert calm.stirs(100.0 + LONG_S) == ""
    assert calm.stirs(120.0) == GATE, "the gate is gone"


def test_a_call_holds_for_as_long_as_the_longest() -> None:
    calm, now_s = Calm(), time.monotonic()
    calm.noted(False, now_s - LONG_S)
    calm.noted(True, now_s)
    assert (calm.stirs(now_s), calm.is_called(now_s)) == ("", False)
    calm.call(3600)
    calm.call(1)
    assert (calm.stirs(now_s + 3599), calm.is_called(now_s + 3599)) == (REQUEST, True)
    assert not calm.is_called(time.monotonic() + 3600)


def test_how_long_it_slept_and_why_it_woke() -> None:
    calm = Calm()
    assert calm.slept_s()[0] == 0
    calm.sleeps()
    assert calm.is_asleep
    asleep_s, of_s = calm.slept_s()
    assert 0 < asleep_s <= of_s
    calm.woke(MOTION)
    slept_s = calm.slept_s()[0]
    assert slept_s >= asleep_s
    calm.rests_no_more()
    assert calm.slept_s()[0] == slept_s, "it was awake"
    assert (calm.is_asleep, calm.wakes) == (False, {MOTION: 1})


def spin(seconds: float) -> None:
    """Take processor time."""
    until_s = time.thread_time() + seconds
    while time.thread_time() < until_s:
        pass


def test_the_time_of_those_threads_counts_that_say_so() -> None:
    times, may_go, measured = ThreadTimes(), threading.Event(), threading.Event()

    def works(leaves: bool) -> None:
        spin(0.2)
        times.enter()
        times.enter()
        spin(0.02)
        if leaves:
            times.leave()
            spin(0.2)
        measured.set()
        may_go.wait(60)

    for leaves in (True, False):
        measured.clear()
        may_go.clear()
        before_s = times.seconds()
        thread = threading.Thread(target=works, args=(leaves,))
        thread.start()
        assert measured.wait(60)
        taken_s = times.seconds() - before_s
        assert 0.02 <= taken_s < 0.2
        may_go.set()
        thread.join()
        assert times.seconds() - before_s >= taken_s, "also when it has ended"
        assert times.seconds() - before_s < 0.2


def test_the_share_of_a_core_is_that_of_the_last_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    times, now_s, taken_s = ThreadTimes(), 50.0, 0.0
    monkeypatch.setattr("plugins.thread_times.time.monotonic", lambda: now_s)
    monkeypatch.setattr(times, "seconds", lambda: taken_s)
    assert times.percent() is None
    for second in range(1, 41):
        now_s, taken_s = 50.0 + second, 0.5 * min(second, 20)
        assert times.percent() == pytest.approx(50 if second <= 20 else max(0, 5 * (30 - second)))

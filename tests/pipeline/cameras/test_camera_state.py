"""The state machine on a clock that is set by hand."""

from __future__ import annotations

from typing import Any

import pytest

from mirante.faults import FaultCode
from pipeline.cameras import state as camera_state
from pipeline.cameras.state import CameraState, Fault, State, Transition


class Bench:
    def __init__(self, **options: Any) -> None:
        self.now_s = 100.0
        self.told: list[Transition] = []
        self.machine = CameraState(
            "gate",
            3.0,
            self.told.append,
            clock=lambda: self.now_s,
            wall_ns=lambda: int(self.now_s * 1e9),
            uniform=lambda: 1.0,
            **options,
        )
        self.machine.connecting()

    def frame(self) -> Fault | None:
        return self.machine.check(self.now_s, self.now_s)

    @property
    def states(self) -> list[State]:
        return [change.state for change in self.told]


def test_from_the_first_attempt_to_running() -> None:
    bench = Bench()
    assert bench.machine.check(None, None) is None
    assert bench.frame() is None
    assert bench.frame() is None
    assert bench.states == [State.CONNECTING, State.RUNNING]


def test_a_silent_camera_stalls_once_the_watchdog_is_over() -> None:
    bench = Bench()
    bench.frame()
    last_s = bench.now_s
    bench.now_s += 3.0
    assert bench.machine.check(last_s, last_s) is None
    bench.now_s += 0.1
    fault = bench.machine.check(last_s, last_s)
    assert fault == Fault(FaultCode.STALLED, "no frame for 3.1 s")
    assert bench.states[-1] == State.STALLED
    assert bench.told[-1].code == FaultCode.STALLED
    bench.frame()
    assert bench.told[-1].code is None  # nothing is wrong any more


def test_pictures_that_cannot_be_decoded_are_told_from_silence() -> None:
    bench = Bench()
    bench.frame()
    last_s = bench.now_s
    bench.now_s += 4.0
    fault = bench.machine.check(bench.now_s, last_s)
    assert fault == Fault(
        FaultCode.UNDECODABLE, "images arrive, but none could be decoded for 4.0 s"
    )


def test_back_off_doubles_to_its_most_and_jitter_only_shortens() -> None:
    bench = Bench()
    waits_s = [bench.machine.failed(Fault(FaultCode.REFUSED, "refused")) for _ in range(7)]
    assert waits_s == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    low = CameraState("gate", 3.0, lambda _: None, uniform=lambda: 0.0)
    assert low.failed(Fault(FaultCode.REFUSED, "refused")) == 0.375
    assert bench.told[-1].attempt == 7
    assert str(bench.told[0 + 1]) == ("camera gate: reconnecting: refused; attempt 2 in 0.5 s")


def test_what_needs_a_person_is_tried_rarely() -> None:
    bench = Bench()
    assert bench.machine.failed(Fault(FaultCode.UNAUTHORISED, "401")) == camera_state.SLOW_RETRY_S
    assert bench.machine.state == State.FAILED
    bench.machine.connecting()
    assert bench.machine.state == State.FAILED  # until a frame proves the contrary
    bench.frame()
    assert bench.states[-1] == State.RUNNING


def test_failures_count_from_one_again_after_a_stable_run() -> None:
    bench = Bench()
    for _ in range(5):
        bench.machine.failed(Fault(FaultCode.ENDED, "lost"))
    bench.machine.connecting()
    bench.frame()
    bench.now_s += camera_state.STABLE_S - 0.1
    bench.frame()
    assert bench.machine.attempt == 5
    bench.now_s += 0.2
    bench.frame()
    assert bench.machine.failed(Fault(FaultCode.ENDED, "lost")) == 0.5


def test_running_shortly_does_not_reset_the_back_off() -> None:
    bench = Bench()
    for expected_s in (0.5, 1.0, 2.0):
        bench.machine.connecting()
        bench.frame()
        bench.now_s += 2.0
        bench.frame()
        assert bench.machine.failed(Fault(FaultCode.ENDED, "ended")) == expected_s


@pytest.mark.parametrize(
    ("arrived", "waited_s", "code", "words"),
    [
        (
            False,
            camera_state.CONNECT_S,
            FaultCode.NO_VIDEO,
            "the camera answers, but no video came for 10 s",
        ),
        (
            True,
            camera_state.FIRST_FRAME_S,
            FaultCode.UNDECODABLE,
            "images arrive, but none could be decoded for 30 s",
        ),
    ],
)
def test_an_attempt_that_leads_nowhere_ends(
    arrived: bool, waited_s: float, code: FaultCode, words: str
) -> None:
    bench = Bench()
    bench.now_s += waited_s
    assert bench.machine.check(bench.now_s if arrived else None, None) is None
    bench.now_s += 0.1
    assert bench.machine.check(bench.now_s if arrived else None, None) == Fault(code, words)


def test_a_file_may_take_its_time() -> None:
    bench = Bench(live=False)
    bench.now_s += 100
    assert bench.machine.check(None, None) is None
    bench.frame()
    last_s = bench.now_s
    bench.now_s += 100
    assert bench.machine.check(last_s, last_s) is None


def test_a_sender_is_waited_for_as_long_as_it_takes() -> None:
    bench = Bench(sender="udp://:5000")
    waiting = Fault(FaultCode.NO_SENDER, "waiting for a sender at udp://:5000")
    assert bench.machine.no_sender() == waiting
    assert not bench.machine.is_news(4.0)
    assert bench.machine.is_news(6.0)
    bench.machine.waiting(waiting)
    assert str(bench.told[-1]) == f"camera gate: reconnecting: {waiting.reason}"
    bench.now_s += 3600
    assert not bench.machine.is_news(3600), "it has been said"
    bench.now_s += camera_state.CONNECT_S
    assert bench.machine.check(None, None) is None, "time counts from the first packet"
    bench.now_s += 0.1
    words = "packets arrive at udp://:5000, but no video came for 10 s"
    assert bench.machine.check(None, None) == Fault(FaultCode.NO_VIDEO, words)
    assert max(bench.machine.failed(waiting) for _ in range(9)) == camera_state.SENDER_BACKOFF_S


def test_a_note_changes_no_state() -> None:
    bench = Bench()
    bench.frame()
    since_ns = bench.machine.since_ns
    bench.now_s += 1
    bench.machine.note("the camera's clock is off")
    assert bench.told[-1].state == State.RUNNING
    assert bench.machine.since_ns == since_ns
    bench.machine.stopped("on request")
    assert str(bench.told[-1]) == "camera gate: stopped: on request"

"""The state machine on a clock that is set by hand."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from mirante.faults import FaultCode
from pipeline.cameras import state as camera_state
from pipeline.cameras.state import CameraState, Fault, Progress, State, Transition


class Bench:
    def __init__(self, watchdog_s: float | Literal["auto"] = 3.0, **options: Any) -> None:
        self.now_s = 100.0
        self.told: list[Transition] = []
        self.machine = CameraState(
            "gate",
            watchdog_s,
            self.told.append,
            clock=lambda: self.now_s,
            wall_ns=lambda: int(self.now_s * 1e9),
            uniform=lambda: 1.0,
            **options,
        )
        self.machine.connecting()

    def frame(self) -> Fault | None:
        return self.check(self.now_s, self.now_s)

    def check(
        self, arrived_s: float | None = None, decoded_s: float | None = None, **more: Any
    ) -> Fault | None:
        return self.machine.check(Progress(arrived_s, decoded_s, **more))

    @property
    def states(self) -> list[State]:
        return [change.state for change in self.told]


def test_from_the_first_attempt_to_running() -> None:
    bench = Bench()
    assert bench.check() is None
    assert bench.frame() is None
    assert bench.frame() is None
    assert bench.states == [State.CONNECTING, State.RUNNING]


def test_what_is_told_between_two_attempts_has_no_code_of_the_last() -> None:
    bench = Bench()
    bench.machine.failed(Fault(FaultCode.REFUSED, "connection refused"))
    bench.machine.note("the camera refuses TCP; trying UDP")
    assert (bench.told[-1].state, bench.told[-1].code) == (State.RECONNECTING, None)


def test_a_silent_camera_stalls_once_the_watchdog_is_over() -> None:
    bench = Bench()
    bench.frame()
    last_s = bench.now_s
    bench.now_s += 3.0
    assert bench.check(last_s, last_s) is None
    bench.now_s += 0.1
    fault = bench.check(last_s, last_s)
    assert fault == Fault(FaultCode.STALLED, "no frame for 3.1 s (watchdog_s: 3)")
    assert bench.states[-1] == State.STALLED
    assert bench.told[-1].code == FaultCode.STALLED
    bench.frame()
    assert bench.told[-1].code is None  # nothing is wrong any more


def test_pictures_that_cannot_be_decoded_are_told_from_silence() -> None:
    bench = Bench()
    bench.frame()
    last_s = bench.now_s
    bench.now_s += 4.0
    fault = bench.check(bench.now_s, last_s)
    assert fault == Fault(
        FaultCode.UNDECODABLE, "images arrive, but none could be decoded for 4.0 s (watchdog_s: 3)"
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
    ("came", "waited_s", "code", "words"),
    [
        (
            {},
            camera_state.CONNECT_S,
            FaultCode.NO_VIDEO,
            "the camera answers, but no video came for 10 s",
        ),
        (
            {"began_s": 100.0, "packets_s": 100.0},
            camera_state.GRACE_S,
            FaultCode.NO_VIDEO,
            "no video came for 30 s, and no key frame before",
        ),
        (
            {"began_s": 100.0, "packets_s": None},  # up to the moment of the check
            camera_state.KEY_FRAME_S,
            FaultCode.NO_KEY_FRAME,
            "images arrive, but no key frame came for 150 s",
        ),
        (
            {"began_s": 100.0, "arrived_s": None, "keyed_s": 100.0},
            camera_state.FIRST_FRAME_S,
            FaultCode.UNDECODABLE,
            "images arrive, but none could be decoded for 30 s",
        ),
    ],
)
def test_an_attempt_that_leads_nowhere_ends(
    came: dict[str, float | None], waited_s: float, code: FaultCode, words: str
) -> None:
    bench = Bench()

    def look() -> Fault | None:
        return bench.check(**{k: bench.now_s if v is None else v for k, v in came.items()})

    bench.now_s += waited_s
    assert look() is None
    bench.now_s += 0.1
    assert look() == Fault(code, words)


def test_a_far_key_frame_is_waited_for_in_words() -> None:
    bench = Bench()
    bench.check(began_s=100.0, packets_s=bench.now_s)
    assert bench.machine.reason == "first attempt"  # a moment is no wait
    for _ in range(60):
        bench.now_s += 1
        assert bench.check(began_s=100.0, packets_s=bench.now_s) is None
    assert (bench.machine.state, bench.machine.reason) == (
        State.CONNECTING,
        "waiting for a key frame",
    )
    bench.now_s += 1
    assert bench.check(bench.now_s, bench.now_s, keyed_s=bench.now_s) is None
    assert [str(change) for change in bench.told] == [
        "camera gate: connecting: first attempt",
        "camera gate: connecting: waiting for a key frame",
        "camera gate: running: frames arrive",
    ]


def test_damaged_frames_alone_are_no_picture() -> None:
    bench = Bench()
    bench.machine.failed(Fault(FaultCode.STALLED, "no frame"))
    bench.machine.connecting()
    bench.check(bench.now_s, bench.now_s, whole=False)
    change = bench.told[-1]
    assert (change.state, change.reason, change.code) == (
        State.CONNECTING,
        "waiting for a key frame",
        None,
    )
    bench.now_s += 3.1
    fault = bench.check(bench.now_s - 3.1, bench.now_s - 3.1, whole=False)
    assert fault is not None
    assert fault.code == FaultCode.STALLED  # the watchdog looks at them too


def test_a_camera_that_runs_says_when_a_key_frame_is_far() -> None:
    bench = Bench()
    bench.frame()
    for damaged_s in (4.0, 6.0, 7.0, 0.0, 0.0):
        bench.now_s += 1
        bench.check(bench.now_s, bench.now_s, damaged_s=damaged_s)
    assert [(change.state, change.reason) for change in bench.told[1:]] == [
        (State.RUNNING, "frames arrive"),
        (State.RUNNING, "waiting for a key frame"),
        (State.RUNNING, "frames arrive"),
    ]


def test_time_counts_from_when_the_models_are_loaded() -> None:
    bench = Bench()
    bench.now_s += 60.0
    bench.machine.began()
    assert bench.check() is None


@pytest.mark.parametrize(
    ("shown_s", "allowed_s", "words"),
    [
        (3.0, 3.0, "no frame for 3.1 s (watchdog_s: auto, 3.0 s at its rate)"),
        (15.0, 15.0, "no frame for 15.1 s (watchdog_s: auto, 15.0 s at its rate)"),
        (None, 30.0, "no frame for 30.1 s (watchdog_s: auto, 30 s while its rate is unknown)"),
    ],
)
def test_the_watchdog_of_a_rate(shown_s: float | None, allowed_s: float, words: str) -> None:
    bench = Bench("auto")
    bench.frame()
    last_s = bench.now_s
    bench.now_s += allowed_s
    assert bench.check(last_s, last_s, limit_s=shown_s) is None
    bench.now_s += 0.1
    assert bench.check(last_s, last_s, limit_s=shown_s) == Fault(FaultCode.STALLED, words)


def test_a_camera_that_is_rarer_than_expected_is_waited_for_longer_each_time() -> None:
    bench = Bench("auto")
    bench.machine.grace_s = 20.0
    for grace_s in (20.0, 40.0, 80.0):
        bench.machine.connecting()
        bench.frame()
        last_s = bench.now_s
        bench.now_s += grace_s - 0.1
        assert bench.check(last_s, last_s) is None
        bench.now_s += 0.2
        assert bench.check(last_s, last_s) is not None


def test_a_number_is_no_matter_of_the_rate() -> None:
    bench = Bench(5.0)
    bench.frame()
    last_s = bench.now_s
    bench.now_s += 5.1
    fault = bench.check(last_s, last_s, limit_s=60.0)
    assert fault == Fault(FaultCode.STALLED, "no frame for 5.1 s (watchdog_s: 5)")


def test_a_file_that_gives_nothing_more_fails_with_what_was_read() -> None:
    bench = Bench(live=False)
    bench.frame()
    last_s = bench.now_s
    bench.now_s += camera_state.FILE_S
    assert bench.check(last_s, last_s, frames=20) is None
    bench.now_s += 0.1
    fault = bench.check(last_s, last_s, frames=20)
    assert fault == Fault(
        FaultCode.FILE_STALLED, "the file gave nothing for 10 s; 20 frames were read"
    )
    assert bench.machine.failed(fault) == camera_state.SLOW_RETRY_S
    assert bench.machine.state == State.FAILED


def test_a_file_that_never_gave_a_frame_fails_too() -> None:
    bench = Bench(live=False)
    bench.now_s += camera_state.FILE_S + 0.1
    fault = bench.check()
    assert fault is not None
    assert fault.reason == "the file gave nothing for 10 s; 0 frames were read"


def test_slow_stages_are_no_fault_of_a_file() -> None:
    bench = Bench(live=False)
    bench.frame()
    last_s = bench.now_s
    for _ in range(100):
        bench.now_s += 1
        assert bench.check(last_s, last_s, busy_s=bench.now_s) is None


def test_a_hole_in_a_file_is_waited_for_and_told_once() -> None:
    bench = Bench(live=False)
    bench.frame()
    last_s, due_s = bench.now_s, bench.now_s + 3725
    while bench.now_s < due_s - 5:
        bench.now_s += 5
        assert bench.check(last_s, last_s, due_s=due_s, frames=8) is None
    assert [str(change) for change in bench.told[2:]] == [
        "camera gate: running: 8 frames read; the next one is due in 1 h 02 min, by the file's "
        "timestamps"
    ]
    bench.now_s += 6
    bench.frame()
    assert bench.machine.reason == "frames arrive"


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
    assert bench.check() is None, "time counts from the first packet"
    bench.now_s += 0.1
    words = "packets arrive at udp://:5000, but no video came for 10 s"
    assert bench.check() == Fault(FaultCode.NO_VIDEO, words)
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

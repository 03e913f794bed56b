"""When a camera counts as lost, and when as back: one event an outage, whoever runs it."""

from __future__ import annotations

import pytest

from mirante.events import Event
from mirante.faults import FaultCode
from pipeline.cameras.state import State, Transition
from pipeline.worker.outages import Outages

REFUSED, RUNS, LATER = FaultCode.REFUSED, State.RUNNING, State.CONNECTING


def change(at_s: float, state: State, code: FaultCode | None = None) -> Transition:
    words = "frames arrive" if state is State.RUNNING else "connection refused"
    return Transition("gate", state, words, 0, None, round(at_s * 1e9), code)


def told(outages: Outages, *changes: tuple[State, FaultCode | None]) -> list[str]:
    events = [outages.change(change(1000.0 + n, *each)) for n, each in enumerate(changes)]
    return [event.kind if event else "" for event in events]


LOST, FAILED = (State.RECONNECTING, REFUSED), (State.FAILED, FaultCode.UNAUTHORISED)


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ([(LATER, None), (RUNS, None)], ["", ""]),
        ([(LATER, None), LOST, FAILED, (RUNS, None)], ["", "", "", ""]),
        (
            [(RUNS, None), (State.STALLED, FaultCode.STALLED), LOST, LOST, (RUNS, None)],
            ["", "camera-lost", "", "", "camera-back"],
        ),
        ([(RUNS, None), (State.RECONNECTING, None), (RUNS, None)], ["", "", ""]),
        ([(RUNS, None), (State.STOPPED, None), (RUNS, None)], ["", "", ""]),
        (
            [(RUNS, None), LOST, (State.STOPPED, None), (LATER, None), (RUNS, None)],
            ["", "camera-lost", "", "", "camera-back"],
        ),
        ([(RUNS, None), (State.STOPPED, None), LOST], ["", "", "camera-lost"]),
        ([(RUNS, None), LOST, (RUNS, None), (RUNS, None)], ["", "camera-lost", "camera-back", ""]),
    ],
    ids=[
        "first connect",
        "first connect after failures",
        "an outage of several attempts",
        "another session, no fault",
        "stopped on request",
        "paused while it is lost",
        "lost while nobody looked",
        "back once",
    ],
)
def test_one_event_an_outage(
    changes: list[tuple[State, FaultCode | None]], kinds: list[str]
) -> None:
    assert told(Outages(), *changes) == kinds


def test_the_next_worker_goes_on_with_the_outage_and_its_numbers() -> None:
    first = Outages()
    assert told(first, (RUNS, None), LOST) == ["", "camera-lost"]
    second = Outages(first.saved())
    assert second.change(change(1003, *LOST)) is None
    assert second.change(change(1007.5, RUNS)) == Event(
        id=event_id(second, "camera-back", 1),
        camera="gate",
        kind="camera-back",
        ts=1007.5,
        reason="frames arrive; it was lost for 6.5 s",
    )
    third = Outages(second.saved())
    lost = third.change(change(1009, *FAILED))
    assert lost is not None
    assert lost.id == event_id(first, "camera-lost", 2)
    assert lost.reason == "unauthorised: connection refused"


def event_id(outages: Outages, kind: str, number: int) -> str:
    return f"{outages._now.birth_ms}-{kind}-{number}"


def test_what_cannot_be_read_is_nothing_known() -> None:
    assert told(Outages(b"\xc1"), LOST, (RUNS, None)) == ["", ""]

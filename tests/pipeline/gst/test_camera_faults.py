"""Each thing that can befall an RTSP camera, against real servers in processes of their own.

All faults happen at once, each to a camera of its own, while one more camera watches a server that
nobody harms: each of its frames must be accounted for. ``pytest -s`` prints how long after a fault
it was noticed, and how long after its repair frames came again.
"""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Any

import pytest

from pipeline.cameras import state as camera_state
from pipeline.cameras.state import State
from tests.support.watched import Watched

pytestmark = pytest.mark.rtsp

SEEN_S = 10.0  # a stall is seen within, on a busy machine too; 3 s is the watchdog's own time
HEAL_S = 15.0 + camera_state.BACKOFF_MOST_S
SLOW_RETRY_S = 2.0  # for these tests; 30 s otherwise
SOME = 5  # frames that prove that a camera is back


class SilentListener:
    """Takes connections on the server's port and never says a word."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None

    def begin(self, server: Any) -> None:
        self._socket = socket.create_server(("127.0.0.1", server.port), backlog=16)

    def give_way(self, server: Any) -> None:
        assert self._socket is not None
        self._socket.close()
        server.start()


@dataclass
class Fault:
    """One row: what is wrong from the start or done to a camera that runs, and how it is repaired.

    ``begin`` readies a server of its own, without which it is that of all; ``harm`` strikes while
    the camera runs, ``repair`` comes ``hold_s`` after the camera has noticed.
    """

    name: str
    words: str
    state: State = State.RECONNECTING
    mount: str = "good"
    login: str = ""
    begin: Callable[[Any], object] | None = None
    harm: Callable[[Any], object] | None = None
    repair: Callable[[Any], object] | None = None
    hold_s: float = 3.0
    options: dict[str, Any] = field(default_factory=dict)


@dataclass
class Outcome:
    """What became of it; times in seconds."""

    reasons: list[str]
    states: list[State]
    numbers: list[int | None]
    sizes: set[tuple[int, int]]
    damaged: int
    seen_s: float = 0.0
    healed_s: float = 0.0


def restart(server: Any) -> None:
    server.kill()
    server.start()


silence = SilentListener()
LOST = [
    Fault(
        "killed",
        "ended the stream",
        begin=lambda s: s.start(),
        harm=lambda s: s.kill(),
        repair=lambda s: s.start(),
    ),
    Fault(
        "frozen",
        "no frame for",
        begin=lambda s: s.start(),
        harm=lambda s: s.signal(signal.SIGSTOP),
        repair=lambda s: s.signal(signal.SIGCONT),
        hold_s=6.0,
    ),
    # These two do it by themselves, two seconds into each session.
    Fault("stalls", "no frame for", mount="stall", hold_s=0.0),
    Fault("ends", "ended the stream", mount="end", hold_s=0.0),
]
NOT_REACHED = [
    Fault(
        "wrong password",
        "401 unauthorised: the camera refuses this user or password",
        State.FAILED,
        mount="locked",
        login="viewer:right@",
        begin=lambda s: s.start(password="other"),
        repair=restart,
    ),
    Fault(
        "no password",
        "401 unauthorised: the camera asks for a user and password",
        State.FAILED,
        mount="locked",
    ),
    Fault(
        "wrong path", '404 not found: the camera has no path "/nothing"', State.FAILED, "nothing"
    ),
    Fault(
        "refused",
        "connection refused: nothing listens at",
        begin=lambda s: None,
        repair=lambda s: s.start(),
    ),
    Fault(
        "never answers",
        "takes the connection but never answers",
        begin=silence.begin,
        repair=silence.give_way,
        hold_s=1.0,
    ),
]
# Where no silence is meant, a busy machine may make one.
PATIENT: dict[str, Any] = {"watchdog_s": 20}
HARMLESS = [
    Fault("resolution change", "", mount="resize", options=PATIENT),
    Fault("corrupted payload", "", mount="corrupt", options=PATIENT),
    Fault("packet loss over TCP", "", mount="lossy", options=PATIENT),
    Fault("packet loss over UDP", "", mount="lossy", options={"transport": "udp", **PATIENT}),
]
FAULTS = LOST + NOT_REACHED + HARMLESS


def play(fault: Fault, server: Any) -> Outcome:
    """Runs one row from beginning to end."""
    if fault.begin is not None:
        fault.begin(server)
    return observe(fault, server)


def observe(fault: Fault, server: Any) -> Outcome:
    name = fault.name.replace(" ", "-")
    url = server.url(fault.mount, fault.login)
    with Watched(name, url, **fault.options) as camera:
        seen_s = healed_s = 0.0
        if fault in HARMLESS:
            camera.seen.wait(80)
        elif fault in LOST:
            seen_s, healed_s = lose(fault, server, camera)
        else:
            camera.wait(fault.state)
            time.sleep(fault.hold_s)
            if fault.repair is not None:
                fault.repair(server)
                healed_s = wait_for_more(camera)
    return Outcome(
        [change.reason for _, change in camera.changes],
        camera.states,
        camera.seen.numbers,
        {(result.width, result.height) for _, result, _ in camera.seen.frames},
        sum(result.damaged for _, result, _ in camera.seen.frames),
        seen_s,
        healed_s,
    )


def lose(fault: Fault, server: Any, camera: Watched) -> tuple[float, float]:
    camera.seen.wait(SOME)
    if fault.harm is not None:
        fault.harm(server)
    changed_s, _ = camera.wait(State.RECONNECTING)
    seen_s = changed_s - camera.last_frame_before(changed_s)
    time.sleep(fault.hold_s)
    if fault.repair is not None:
        fault.repair(server)
    return seen_s, wait_for_more(camera)


def wait_for_more(camera: Watched) -> float:
    repaired_s = time.monotonic()
    camera.seen.wait(len(camera.seen.frames) + SOME, timeout_s=60)
    return time.monotonic() - repaired_s


@pytest.fixture(scope="module")
def outcomes(new_server: Callable[[], Any], server: Any) -> Iterator[dict[str, Future[Any]]]:
    """All rows at once; and "bystander": the camera that nothing happens to."""
    patch = pytest.MonkeyPatch()
    patch.setattr(camera_state, "SLOW_RETRY_S", SLOW_RETRY_S)
    servers = {each.name: server if each.begin is None else new_server() for each in FAULTS}
    bystander = Watched("bystander", server.url("good"), **PATIENT)
    with ThreadPoolExecutor(len(FAULTS)) as pool, bystander:
        bystander.seen.wait(SOME)
        futures: dict[str, Future[Any]] = {
            fault.name: pool.submit(play, fault, servers[fault.name]) for fault in FAULTS
        }
        pool.shutdown(wait=True)
    futures["bystander"] = Future()
    futures["bystander"].set_result(bystander)
    yield futures
    patch.undo()
    for fault in FAULTS:
        outcome = futures[fault.name].result()
        print(f"{fault.name:22} {outcome.seen_s:5.1f} s {outcome.healed_s:5.1f} s", end=" ")
        print(next((r for r in outcome.reasons if fault.words and fault.words in r), "-"))


@pytest.mark.parametrize("fault", LOST, ids=lambda fault: fault.name)
def test_a_lost_camera_is_noticed_and_comes_back(fault: Fault, outcomes: dict[str, Any]) -> None:
    outcome = outcomes[fault.name].result()
    assert any(fault.words in reason for reason in outcome.reasons), outcome.reasons
    assert outcome.seen_s <= SEEN_S
    assert outcome.healed_s <= HEAL_S


@pytest.mark.parametrize("fault", NOT_REACHED, ids=lambda fault: fault.name)
def test_a_camera_not_reached_says_why(fault: Fault, outcomes: dict[str, Any]) -> None:
    outcome = outcomes[fault.name].result()
    assert any(fault.words in reason for reason in outcome.reasons), outcome.reasons
    assert fault.state in outcome.states
    if fault.repair is not None:
        assert outcome.healed_s <= HEAL_S
        assert outcome.states[-2:] == [State.RUNNING, State.STOPPED]
    else:
        assert State.RUNNING not in outcome.states


@pytest.mark.parametrize("fault", HARMLESS, ids=lambda fault: fault.name)
def test_a_bad_stream_goes_on(fault: Fault, outcomes: dict[str, Any]) -> None:
    outcome = outcomes[fault.name].result()
    # twice "connecting" where the first key frame is hit
    states = [state for state, _ in groupby(outcome.states)]
    assert states == [State.CONNECTING, State.RUNNING, State.STOPPED]
    assert len(outcome.numbers) >= 80


@pytest.mark.parametrize("name", ["packet loss over TCP", "packet loss over UDP"])
def test_packets_really_were_lost(name: str, outcomes: dict[str, Any]) -> None:
    numbers = outcomes[name].result().numbers
    assert any(None in pair or (pair[1] - pair[0]) % 80 != 1 for pair in pairwise(numbers[SOME:]))
    assert outcomes[name].result().damaged > 0


def test_both_sizes_of_a_changing_stream_are_told(outcomes: dict[str, Any]) -> None:
    outcome = outcomes["resolution change"].result()
    assert outcome.sizes == {(320, 180), (480, 272)}
    assert None not in outcome.numbers
    assert outcome.damaged == 0


def test_every_frame_of_another_camera_is_accounted_for(outcomes: dict[str, Any]) -> None:
    bystander = outcomes["bystander"].result()
    assert len(bystander.seen.numbers) > 100
    bystander.check_account(80)
    assert bystander.ledger.counts()[0].damaged == 0
    assert bystander.states == [State.CONNECTING, State.RUNNING, State.STOPPED]

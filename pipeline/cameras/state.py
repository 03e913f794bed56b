"""The life of one camera: its states, when it counts as lost, and how long to wait then."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from mirante.backoff import Backoff
from mirante.faults import FaultCode

BACKOFF_FIRST_S = 0.5
BACKOFF_MOST_S = 10.0
BACKOFF_JITTER = 0.25
SLOW_RETRY_S = 30.0
SENDER_S = 5.0  # without a sender this long, the camera says that it waits for one
SENDER_BACKOFF_S = 2.0  # most that a sender which comes back waits for the next attempt
STABLE_S = 10.0  # after running this long, failures are counted from one again
CONNECT_S = 10.0  # most time from the start of an attempt to its first encoded image
FIRST_FRAME_S = 30.0  # … and to its first decoded frame: key frames may be far apart


class State(StrEnum):
    """The state of a camera.

    ``connecting``: the first attempt. ``running``: frames arrive. ``stalled``: none came for longer
    than the watchdog allows. ``reconnecting``: lost or not reached; waiting for, or in, the next
    attempt. ``failed``: the same, where somebody has to repair something (address, password,
    decoder), so that attempts are rare. ``stopped``: on request, or at the end of a file.
    """

    CONNECTING = "connecting"
    RUNNING = "running"
    STALLED = "stalled"
    RECONNECTING = "reconnecting"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a camera gives no frames, as a code and in words."""

    code: FaultCode
    reason: str


@dataclass(frozen=True, slots=True)
class Transition:
    """A change to tell about.

    Attributes:
        camera: the camera's name.
        state: what it does from now on.
        reason: why, in words.
        code: why, as a code; None when nothing is wrong.
        attempt: failed attempts in a row.
        retry_s: seconds until the next attempt, where one is waited for.
        at_ns: Unix time in ns.
    """

    camera: str
    state: State
    reason: str
    attempt: int
    retry_s: float | None
    at_ns: int
    code: FaultCode | None = None

    def __str__(self) -> str:
        again = (
            "" if self.retry_s is None else f"; attempt {self.attempt + 1} in {self.retry_s:.1f} s"
        )
        return f"camera {self.camera}: {self.state}: {self.reason}{again}"


class CameraState:
    """The state machine of one camera. Used by its supervisor thread alone.

    Args:
        camera: the camera's name.
        watchdog_s: a live camera that gives no frame for this long has stalled.
        on_change: notified of each transition.
        live: False for a file, which may take its time.
        sender: the address at which a sender is waited for, "" where the camera is called.
        clock: monotonic seconds.
        wall_ns: Unix time in ns.
        uniform: random numbers in 0..1.
    """

    def __init__(
        self,
        camera: str,
        watchdog_s: float,
        on_change: Callable[[Transition], None],
        live: bool = True,
        sender: str = "",
        clock: Callable[[], float] = time.monotonic,
        wall_ns: Callable[[], int] = time.time_ns,
        uniform: Callable[[], float] = random.random,
    ) -> None:
        self._camera = camera
        self._watchdog_s = watchdog_s
        self._on_change = on_change
        self._live = live
        self._sender = sender
        self._clock = clock
        self._wall_ns = wall_ns
        most_s = SENDER_BACKOFF_S if sender else BACKOFF_MOST_S
        self._backoff = Backoff(BACKOFF_FIRST_S, most_s, BACKOFF_JITTER, uniform)
        self._attempt_s = self._running_s = clock()
        self.state = State.CONNECTING
        self.reason = "not started"
        self.code: FaultCode | None = None
        self.attempt = 0
        self.since_ns = wall_ns()

    def connecting(self) -> None:
        """An attempt begins."""
        self._attempt_s = self._clock()
        if self.state in {State.CONNECTING, State.STOPPED}:
            self._enter(State.CONNECTING, "first attempt")

    def is_news(self, silent_s: float) -> bool:
        """Nothing was sent in the ``silent_s`` seconds of this attempt, which may go on for ever.

        Returns:
            True when it is time to say so.
        """
        self._attempt_s = self._clock()
        return silent_s > SENDER_S and self.code != FaultCode.NO_SENDER

    def waiting(self, fault: Fault) -> None:
        """The attempt waits for a sender."""
        self._enter(State.RECONNECTING, fault.reason, fault.code)

    def no_sender(self) -> Fault:
        """Nobody sends."""
        return Fault(FaultCode.NO_SENDER, f"waiting for a sender at {self._sender}")

    def check(self, arrived_s: float | None, decoded_s: float | None) -> Fault | None:
        """Looks at the newest encoded image and the newest decoded frame of this attempt.

        Args:
            arrived_s, decoded_s: when they came, on the clock; None when none came yet.

        Returns:
            Why the attempt has to be given up, or None to continue.
        """
        now_s = self._clock()
        if decoded_s is None:
            return self._check_first(now_s - self._attempt_s, arrived_s)
        if self.state != State.RUNNING:
            self._running_s = now_s
            self._enter(State.RUNNING, "frames arrive")
        if now_s - self._running_s >= STABLE_S:
            self.attempt = 0
            self._backoff.reset()
        if not self._live or now_s - decoded_s <= self._watchdog_s:
            return None
        if arrived_s is not None and now_s - arrived_s <= self._watchdog_s:
            code, words = FaultCode.UNDECODABLE, "images arrive, but none could be decoded for"
        else:
            code, words = FaultCode.STALLED, "no frame for"
        fault = Fault(code, f"{words} {now_s - decoded_s:.1f} s")
        self._enter(State.STALLED, fault.reason, fault.code)
        return fault

    def hung(self, busy_s: float) -> Fault:
        """The stages have had one frame for ``busy_s`` seconds."""
        words = f"a stage has been busy with one frame for {busy_s:.0f} s"
        fault = Fault(FaultCode.STAGE_STUCK, words)
        self._enter(State.STALLED, fault.reason, fault.code)
        return fault

    def failed(self, fault: Fault) -> float:
        """The attempt is over; returns the seconds to wait before the next."""
        self.attempt += 1
        wait_s = self._backoff.next_s()  # grows through slow faults too
        if fault.code.needs_repair:
            wait_s = self._backoff.shortened(SLOW_RETRY_S)
        state = State.FAILED if fault.code.needs_repair else State.RECONNECTING
        self._enter(state, fault.reason, fault.code, wait_s)
        return wait_s

    def note(self, reason: str) -> None:
        """Something worth telling that changes no state."""
        self.reason = reason
        self._tell(None)

    def stopped(self, reason: str, code: FaultCode | None = None) -> None:
        """There will be no further attempt."""
        self._enter(State.STOPPED, reason, code)

    def _check_first(self, waited_s: float, arrived_s: float | None) -> Fault | None:
        if not self._live:
            return None
        if arrived_s is None and waited_s > CONNECT_S:
            answers = f"packets arrive at {self._sender}" if self._sender else "the camera answers"
            words = f"{answers}, but no video came for {CONNECT_S:.0f} s"
            return Fault(FaultCode.NO_VIDEO, words)
        if waited_s > FIRST_FRAME_S:
            words = f"images arrive, but none could be decoded for {FIRST_FRAME_S:.0f} s"
            return Fault(FaultCode.UNDECODABLE, words)
        return None

    def _enter(
        self,
        state: State,
        reason: str,
        code: FaultCode | None = None,
        retry_s: float | None = None,
    ) -> None:
        self.state, self.reason, self.code, self.since_ns = state, reason, code, self._wall_ns()
        self._tell(retry_s)

    def _tell(self, retry_s: float | None) -> None:
        now_ns = self._wall_ns()
        self._on_change(
            Transition(
                self._camera, self.state, self.reason, self.attempt, retry_s, now_ns, self.code
            )
        )

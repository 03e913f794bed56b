"""The life of one camera: its states, when it counts as lost, and how long to wait then."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from mirante.backoff import Backoff
from mirante.faults import FaultCode

BACKOFF_FIRST_S = 0.5
BACKOFF_MOST_S = 10.0
BACKOFF_JITTER = 0.25
SLOW_RETRY_S = 30.0
SENDER_S = 5.0  # without a sender this long, the camera says that it waits for one
SENDER_BACKOFF_S = 2.0  # most that a sender which comes back waits for the next attempt
STABLE_S = 10.0  # after running this long, failures are counted from one again
CONNECT_S = 10.0  # maximum time from the camera's last answer to the first data of its video
WAITING_S = 1.0  # … from there to words, where nothing can be decoded yet
DAMAGED_S = 5.0  # a camera that runs gives damaged frames alone for so long before it is told
KEY_FRAME_S = 150.0  # … to its first key frame, while data arrives: they may be far apart
FIRST_FRAME_S = 30.0  # … from its first key frame to its first decoded frame
GRACE_S = 30.0  # of silence, until a camera has shown its rate; doubled each time in vain
GRACE_MOST_S = 600.0
FILE_S = 10.0  # a file that gives nothing for so long gives nothing more
HELD_S = 30.0  # a wait for a file's next frame that is worth telling of

WAITING = "waiting for a key frame"
RUNS = "frames arrive"


class State(StrEnum):
    """The state of a camera.

    ``connecting``: the first attempt, or one in which no whole frame came yet. ``running``: frames
    arrive. ``stalled``: none came for longer than the watchdog allows. ``reconnecting``: lost or
    not reached; waiting for, or in, the next attempt. ``failed``: the same, where somebody has to
    repair something (address, password, decoder), so that attempts are rare. ``stopped``: on
    request, or at the end of a file.
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
class End(Fault):
    """An end that no attempt follows: that of a file."""


def no_sender(address: str) -> Fault:
    """Nobody sends to an address of this machine."""
    return Fault(FaultCode.NO_SENDER, f"waiting for a sender at {address}")


@dataclass(frozen=True, slots=True)
class Progress:
    """What came of an attempt so far; times are monotonic seconds, None for never.

    Attributes:
        arrived_s: of the newest encoded image.
        decoded_s: of the newest decoded frame.
        began_s, packets_s: of the first and the newest data that an image is made of; seen until
            one is complete.
        keyed_s: of the first key frame.
        whole: a frame was decoded that is not damaged.
        damaged_s: seconds for which all frames have been damaged, up to the newest.
        limit_s: silence that the camera's rate allows; None while that is unknown.
        due_s: of the frame that a paced file has ready.
        busy_s: when the stages were last seen at work.
        frames: decoded so far.
        answered_s: of the camera's newest answer before its video, where that is heard.
    """

    arrived_s: float | None
    decoded_s: float | None
    began_s: float | None = None
    packets_s: float | None = None
    keyed_s: float | None = None
    whole: bool = True
    damaged_s: float = 0.0
    limit_s: float | None = None
    due_s: float | None = None
    busy_s: float | None = None
    frames: int = 0
    answered_s: float | None = None

    def calm_until(self, at_s: float) -> Progress:
        """Return the same, but frames missing up to ``at_s`` are none that should have come."""
        if self.decoded_s is None:
            return self
        return replace(self, decoded_s=max(self.decoded_s, min(at_s, time.monotonic())))

    def waits_for_key(self, now_s: float) -> bool:
        """Return whether something comes, and nothing whole can be made of it."""
        if self.decoded_s is not None:
            return not self.whole
        late = self.began_s is not None and now_s - self.began_s > WAITING_S
        return late and self.keyed_s is None

    @property
    def newest_s(self) -> float | None:
        """When anything came last."""
        times = (self.arrived_s, self.decoded_s, self.packets_s)
        return max((at_s for at_s in times if at_s is not None), default=None)


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
        watchdog_s: a live camera that gives no frame for this long has stalled; "auto": for
            longer than its rate allows.
        on_change: notified of each transition.
        live: False for a file, which sets no pace.
        sender: the address at which a sender is waited for, "" where the camera is called.
        clock: monotonic seconds.
        wall_ns: Unix time in ns.
        uniform: random numbers in 0..1.

    Attributes:
        grace_s: silence that "auto" allows until the rate is known.
        answer_s: most time from the camera's newest answer to its first encoded image.
    """

    def __init__(
        self,
        camera: str,
        watchdog_s: float | Literal["auto"],
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
        self.grace_s = GRACE_S
        self._noted_due = False
        self.answer_s = CONNECT_S
        self._clock = clock
        self._wall_ns = wall_ns
        most_s = SENDER_BACKOFF_S if sender else BACKOFF_MOST_S
        self._backoff = Backoff(BACKOFF_FIRST_S, most_s, BACKOFF_JITTER, uniform)
        self._attempt_s = self._running_s = clock()
        self._is_idle = False
        self.state = State.CONNECTING
        self._is_begun = False
        self.reason = "not started"
        self.code: FaultCode | None = None
        self.attempt = 0
        self.since_ns = wall_ns()

    def connecting(self) -> None:
        """An attempt begins."""
        self._attempt_s = self._clock()
        if self.state == State.STOPPED or not self._is_begun:
            self._is_begun = True
            self._enter(State.CONNECTING, "first attempt")

    def began(self) -> None:
        """The graph of the attempt is up, its models are loaded: time counts from here."""
        self._attempt_s = self._clock()

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

    def moved(self, words: str) -> None:
        """Its images are to come by another session, though nothing is wrong with the stream."""
        self._enter(State.RECONNECTING, words)

    def idle(self, words: str) -> None:
        """Nothing is there to be shown yet, which is no fault."""
        if self.state != State.RUNNING:
            self._is_idle, self._running_s = True, self._clock()
            self._enter(State.RUNNING, words)

    def no_sender(self) -> Fault:
        """Nobody sends."""
        return no_sender(self._sender)

    def check(self, progress: Progress) -> Fault | None:
        """Looks at what came of this attempt so far.

        Returns:
            Why the attempt has to be given up, or None to continue.
        """
        now_s = self._clock()
        decoded_s = progress.decoded_s
        if not self._live and (fault := self._check_file(now_s, progress)) is not None:
            return fault
        if decoded_s is None or not progress.whole:
            if progress.waits_for_key(now_s) and self.reason != WAITING:
                self._enter(State.CONNECTING, WAITING)
            if self._live and (fault := self._check_first(now_s, progress)) is not None:
                return fault
        elif self.state != State.RUNNING or self._is_idle:
            self._is_idle, self._running_s = False, now_s
            self._enter(State.RUNNING, RUNS)
        elif self.reason in {RUNS, WAITING}:
            words = WAITING if progress.damaged_s > DAMAGED_S else RUNS
            if words != self.reason:
                self.note(words)
        if decoded_s is None:
            return None
        if self.state == State.RUNNING and now_s - self._running_s >= STABLE_S:
            self.attempt = 0
            self._backoff.reset()
        return self._check_silence(now_s, decoded_s, progress) if self._live else None

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
        """Something worth telling that changes no state, and is no fault."""
        self.reason, self.code = reason, None
        self._tell(None)

    def stopped(self, reason: str, code: FaultCode | None = None) -> None:
        """There will be no further attempt."""
        self._enter(State.STOPPED, reason, code)

    def _check_first(self, now_s: float, progress: Progress) -> Fault | None:
        """Until the first whole frame of a live camera."""
        newest_s, keyed_s = progress.newest_s, progress.keyed_s
        waited_s = now_s - self._attempt_s
        if newest_s is None:
            if now_s - max(self._attempt_s, progress.answered_s or 0.0) <= self.answer_s:
                return None
            answers = f"packets arrive at {self._sender}" if self._sender else "the camera answers"
            words = f"{answers}, but no video came for {self.answer_s:.0f} s"
            return Fault(FaultCode.NO_VIDEO, words)
        if now_s - newest_s > self.grace_s:
            words = f"no video came for {self.grace_s:.0f} s, and no key frame before"
            return Fault(FaultCode.NO_VIDEO, words)
        if keyed_s is None and waited_s > KEY_FRAME_S:
            words = f"images arrive, but no key frame came for {KEY_FRAME_S:.0f} s"
            return Fault(FaultCode.NO_KEY_FRAME, words)
        if progress.decoded_s is None and now_s - (keyed_s or now_s) > FIRST_FRAME_S:
            words = f"images arrive, but none could be decoded for {FIRST_FRAME_S:.0f} s"
            return Fault(FaultCode.UNDECODABLE, words)
        return None

    def _check_silence(self, now_s: float, decoded_s: float, progress: Progress) -> Fault | None:
        limit_s, words = self._allowed(progress.limit_s)
        if now_s - decoded_s <= limit_s:
            return None
        arrived_s = progress.arrived_s
        if arrived_s is not None and now_s - arrived_s <= limit_s:
            code, what = FaultCode.UNDECODABLE, "images arrive, but none could be decoded for"
        else:
            code, what = FaultCode.STALLED, "no frame for"
            if progress.limit_s is None:
                self.grace_s = min(2 * self.grace_s, GRACE_MOST_S)
        fault = Fault(code, f"{what} {now_s - decoded_s:.1f} s ({words})")
        self._enter(State.STALLED, fault.reason, fault.code)
        return fault

    def _allowed(self, shown_s: float | None) -> tuple[float, str]:
        """The seconds of silence that are allowed, and why in words that name the key."""
        if self._watchdog_s != "auto":
            return self._watchdog_s, f"watchdog_s: {self._watchdog_s:g}"
        if shown_s is None:
            return (
                self.grace_s,
                f"watchdog_s: auto, {self.grace_s:.0f} s while its rate is unknown",
            )
        return shown_s, f"watchdog_s: auto, {shown_s:.1f} s at its rate"

    def _check_file(self, now_s: float, progress: Progress) -> Fault | None:
        """A file gives its frames, or ends; or one is held until it is due, which is told."""
        last_s = max(progress.newest_s or self._attempt_s, progress.busy_s or 0.0)
        idle_s, due_s = now_s - last_s, progress.due_s
        if due_s is not None and due_s > now_s:
            if not self._noted_due and due_s - now_s > HELD_S:
                self._noted_due = True
                self.note(
                    f"{progress.frames} frames read; the next one is due in "
                    f"{_duration(due_s - now_s)}, by the file's timestamps"
                )
            return None
        if self._noted_due and idle_s < 1.0:
            self._noted_due = False
            self.note(RUNS)
        if idle_s <= FILE_S:
            return None
        words = f"the file gave nothing for {FILE_S:.0f} s; {progress.frames} frames were read"
        fault = Fault(FaultCode.FILE_STALLED, words)
        self._enter(State.STALLED, fault.reason, fault.code)
        return fault

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


def _duration(seconds: float) -> str:
    """``1 h 02 min``, ``2 min 05 s`` or ``40 s``."""
    whole = round(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {whole % 60:02d} s" if minutes else f"{whole} s"

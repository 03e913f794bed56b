"""Receive a camera's own events over ONVIF: to be published, and as a reason to wake."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import msgspec

from mirante.backoff import Backoff
from mirante.events import Event
from mirante.faults import FaultCode
from pipeline.cameras.onvif.device import Device, OnvifError
from pipeline.cameras.onvif.meaning import Told
from pipeline.cameras.onvif.notices import Notice
from pipeline.cameras.onvif.pullpoint import PULL_S, PullPoint
from pipeline.cameras.state import SLOW_RETRY_S, Fault, State
from pipeline.config.camera import Camera
from pipeline.config.camera_url import CameraUrl
from pipeline.config.onvif import Onvif
from pipeline.config.onvif_address import check_onvif, onvif_url
from pipeline.control.onvif_report import OnvifReport
from pipeline.worker.heard import Heard, moment_of
from pipeline.worker.outages import DOWN
from plugins.gate.calm import CAMERA
from plugins.line import Line
from plugins.memory import HEARD

FIRST_S, MOST_S = 0.5, 60.0  # between two attempts
_IDLE_S = 0.5  # a camera that answers sooner without a message does not wait for one …
_PAUSE_S = 1.0  # … and is asked again after this
_END_S = 3.0  # to unsubscribe
_MOST_UNKNOWN = 16

log = logging.getLogger(__name__)


class CameraEvents:
    """Listens to one camera, on a thread of its own, until ``end``.

    What it hears goes the way of all events, with the memory of what lasts in one step. While the
    camera gives frames it goes with the next one, else at once.

    Args:
        camera: the camera's name.
        url: of its device service, with the login.
        options: which events count, and whether they wake the camera.
        line: of the camera.
        state: of the camera now.
        pull_s: how long an answer of the camera may wait for something to happen.

    Attributes:
        report: how it is now.
    """

    def __init__(
        self,
        camera: str,
        url: CameraUrl,
        options: Onvif,
        line: Line,
        state: Callable[[], State],
        pull_s: float = PULL_S,
    ) -> None:
        self._camera = camera
        self._options = options
        self._kinds = {f"camera:{each}" for each in options.events}
        self._line = line
        self._state = state
        self._pull_s = pull_s
        self._device = Device(url)
        self._backoff = Backoff(FIRST_S, MOST_S, 0.25)
        self._stop, self._aborted = threading.Event(), threading.Event()
        self.report = OnvifReport(since=time.time())
        self._thread = threading.Thread(target=self._run, name=f"onvif {camera}", daemon=True)

    @classmethod
    def of(
        cls, name: str, spec: Camera, line: Line, state: Callable[[], State]
    ) -> CameraEvents | None:
        """Start to listen to a camera, where its configuration asks for it; one that cannot be
        listened to says so in its report.
        """
        if spec.onvif is None:
            return None
        made = cls(name, onvif_url(spec) or spec.url, spec.onvif, line, state)
        if wrong := list(check_onvif(spec, name)):
            made._now("failed", wrong[0], FaultCode.INVALID)
        else:
            made.start()
        return made

    def start(self) -> None:
        """Begin to listen; return at once."""
        self._thread.start()

    def end(self) -> None:
        """Begin to end; return at once."""
        self._stop.set()
        self._device.abort()
        self._aborted.set()

    def join(self, timeout_s: float) -> None:
        """Wait until it has unsubscribed, for ``timeout_s`` seconds at most, and 3."""
        if self._thread.ident is not None:
            self._thread.join(min(timeout_s, _END_S))

    def _run(self) -> None:
        while self._line.takes_over and not self._stop.wait(_PAUSE_S):
            pass  # the camera's worker hears it still
        while not self._stop.is_set():
            point = PullPoint(self._device, pull_s=self._pull_s)
            try:
                self._listen(point)
            except OnvifError as error:
                if not self._stop.is_set():
                    self._failed(error.fault)
            except Exception as error:
                log.exception("camera %s: its events over ONVIF", self._camera)
                self._count_failure()
                self._now("failed", f"{type(error).__name__}: {error}"[:200])
            if self._stop.is_set():
                self._aborted.wait()  # else that could still end what unsubscribes
                self._device.revive()
            point.close()
            if not self._stop.is_set():
                self._stop.wait(self._wait_s())

    def _listen(self, point: PullPoint) -> None:
        """Subscribe, and take each message, until that fails or ``end`` is called."""
        point.open()
        heard = self._line.memory.part(HEARD, Heard)
        heard.subscribed()
        off_s = self._device.ahead.total_seconds()
        self.report = msgspec.structs.replace(self.report, clock_off_s=round(off_s, 1))
        while not self._stop.is_set():
            asked_s = time.monotonic()
            notices = point.pull()
            if self.report.state != "subscribed":
                self._now("subscribed", "")
                self._backoff.reset()
            for notice in notices:
                self._take(heard, notice, off_s)
            if not notices and time.monotonic() - asked_s < min(_IDLE_S, self._pull_s / 2):
                self._stop.wait(_PAUSE_S)

    def _take(self, heard: Heard, notice: Notice, off_s: float) -> None:
        at_s = moment_of(notice, off_s, time.time())
        found = list(heard.told(notice))
        for told in found:
            if told.kind in self._kinds:
                self._tell(heard, told, notice, at_s)
        if not found and notice.topic:
            self._unknown(notice.topic)

    def _tell(self, heard: Heard, told: Told, notice: Notice, at_s: float) -> None:
        """Make an event of what a message says, unless it is known, and wake the camera."""
        made: list[Event] = []

        def change() -> Event | None:
            event = heard.event(self._camera, told, notice, at_s)
            if event is not None:
                if self._line.clips is not None and event.active is not False:
                    event = self._line.clips.marked(event)
                made.append(event)
            return event

        self._line.carriage.tell(change)
        if not made:
            return
        event = made[0]
        last = " ".join(filter(None, (event.kind, event.label or event.zone or event.line)))
        self.report = msgspec.structs.replace(
            self.report, events=self.report.events + 1, last=last, last_at=event.ts
        )
        if event.active is not False and self._options.wake_s and self._line.calm.spares:
            self._line.calm.call(self._options.wake_s, CAMERA)
        if self._state() in DOWN:
            self._line.carriage.rest()

    def _unknown(self, topic: str) -> None:
        unknown = dict(self.report.unknown)
        if topic in unknown or len(unknown) < _MOST_UNKNOWN:
            unknown[topic] = unknown.get(topic, 0) + 1
            self.report = msgspec.structs.replace(self.report, unknown=unknown)

    def _failed(self, fault: Fault) -> None:
        self._count_failure()
        state = "failed" if fault.code.needs_repair else "connecting"
        self._now(state, fault.reason, fault.code)

    def _count_failure(self) -> None:
        self.report = msgspec.structs.replace(self.report, failures=self.report.failures + 1)

    def _wait_s(self) -> float:
        wait_s = self._backoff.next_s()
        return max(wait_s, SLOW_RETRY_S) if self.report.state == "failed" else wait_s

    def _now(self, state: str, reason: str, code: str | None = None) -> None:
        """Take note of how it is, and say so once."""
        before = self.report
        if (before.state, before.reason) == (state, reason):
            return
        since = before.since if before.state == state else time.time()
        changes = {"state": state, "reason": reason, "code": code, "since": since}
        self.report = msgspec.structs.replace(before, **changes)
        level = logging.INFO if state == "subscribed" else logging.WARNING
        words = f"{state}: {reason}" if reason else state
        log.log(level, "camera %s: its events over ONVIF: %s", self._camera, words)

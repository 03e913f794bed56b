"""A worker without GStreamer: an outbox, and cameras whose frames and states a test makes."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import replace

from engines.serving import Models
from mirante.faults import FaultCode
from mirante.frame import FrameResult
from mirante.keys import lease_key
from pipeline.cameras.sharing import SharedSessions
from pipeline.cameras.state import State, Transition
from pipeline.config.camera import Camera
from pipeline.control.registry import connect
from pipeline.worker.camera import CameraStarter
from plugins.line import Line
from plugins.outbox.fence import Tenure
from plugins.outbox.lane import MOVED
from plugins.outbox.outbox import Outbox

SPEC = Camera.model_validate({"url": "rtsp://h/gate", "stages": []})


class SimulatedRunner:
    """What a worker runs for a camera."""

    reason, code, attempt, since_ns, stream, finished = "", None, 0, 0, None, False
    state = State.CONNECTING

    def __init__(
        self,
        name: str,
        spec: Camera,
        stages: str,
        line: Line,
        on_change: Callable[[Transition], None],
        shared: SharedSessions | None = None,
    ) -> None:
        self.name, self.line, self.on_change, self._pts = name, line, on_change, 0

    def start(self) -> None:
        """Nothing runs."""

    def stop(self, timeout_s: float = 5.0, reason: str = "") -> None:
        self.become(State.STOPPED)

    def become(self, state: State, code: FaultCode | None = None) -> None:
        self.state = state
        now_ns = time.time_ns()
        self.on_change(Transition(self.name, state, "words", 0, None, now_ns, code))

    def frame(
        self, stage: Callable[[FrameResult], FrameResult], end: str = "", at_ns: int | None = None
    ) -> None:
        """Run a frame through a stage, and publish it unless it has another ``end``."""
        ledger, self._pts = self.line.ledger, self._pts + 1
        ledger.decoded(self._pts, at_ns or time.time_ns(), "arrival", (1280, 720))
        ledger.taken(self._pts)
        result = ledger.get(self._pts)
        assert result is not None
        ledger.put(self._pts, replace(stage(result)))
        outbox = self.line.outbox
        assert outbox is not None
        if self.line.takes_over:
            ledger.drop(self._pts, MOVED)
            if self.line.take_over(outbox):
                self.line.carriage.outbox = outbox
            return
        if end == "reconnect":
            ledger.interrupt("reconnect")
        elif end == "fail":
            ledger.fail(self._pts)
            self.line.carriage.dropped()
        elif end == "drop":
            ledger.drop(self._pts, "stage")
            self.line.carriage.dropped()
        else:
            final = ledger.publish(self._pts)
            assert final is not None
            self.line.carriage.published(final)
            outbox.publish(final)


class SimulatedWorker:
    """The parts of a worker that remember."""

    def __init__(self, url: str, name: str = "", lease_at: str = "") -> None:
        self.name = name
        self.tenure = Tenure(name, lease_key(name), secrets.token_hex(8)) if name else None
        if self.tenure is not None:
            with connect(lease_at or url) as client:
                client.set(self.tenure.key, self.tenure.value)
        self.outbox = Outbox(url, tenure=self.tenure, on_refused=self._on_refused)
        self.outbox.start()
        self.moved = 0  # frames of cameras that other workers have
        self.starter = CameraStarter(SimulatedRunner, self.outbox, Models(), 1)

    def _on_refused(self, camera: str, frames: int) -> None:
        self.moved += frames if self.outbox.is_held(camera) else 0

    def take(self, camera: str = "gate", takes_over: bool = True) -> SimulatedRunner:
        """Start a camera that the fleet has given to this worker."""
        self.outbox.share(camera, is_shared=True, is_held=takes_over)
        return self.start(camera, takes_over=takes_over)

    def start(
        self, camera: str = "gate", spec: Camera = SPEC, takes_over: bool = False
    ) -> SimulatedRunner:
        self.running = self.starter.start(camera, spec, takes_over)
        runner = self.running.runner
        assert isinstance(runner, SimulatedRunner)
        return runner

    def die(self) -> None:
        """What a SIGKILL is, as far as Redis can see: nothing more is sent."""
        self.outbox._sender._stop.set()
        self.outbox._sender._thread.join()

"""A worker without GStreamer: an outbox, and cameras whose frames and states a test makes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from engines.serving import Models
from mirante.faults import FaultCode
from mirante.frame import FrameResult
from pipeline.cameras.sharing import SharedSessions
from pipeline.cameras.state import State, Transition
from pipeline.config.camera import Camera
from pipeline.worker.camera import CameraStarter
from plugins.line import Line
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
            assert self.line.outbox is not None
            self.line.outbox.publish(final)


class SimulatedWorker:
    """The parts of a worker that remember."""

    def __init__(self, url: str) -> None:
        self.outbox = Outbox(url)
        self.outbox.start()
        self.starter = CameraStarter(SimulatedRunner, self.outbox, Models(), 1)

    def start(self, camera: str = "gate", spec: Camera = SPEC) -> SimulatedRunner:
        self.running = self.starter.start(camera, spec)
        runner = self.running.runner
        assert isinstance(runner, SimulatedRunner)
        return runner

    def die(self) -> None:
        """What a SIGKILL is, as far as Redis can see: nothing more is sent."""
        self.outbox._sender._stop.set()
        self.outbox._sender._thread.join()

"""One camera as a worker holds it: its runner, its account, and how it was asked for."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from engines import serving
from mirante.frame import FrameResult
from mirante.status import Status
from pipeline.cameras.graph import stages_text
from pipeline.cameras.state import State, Transition
from pipeline.config.camera import Camera
from pipeline.config.references import check_blur
from pipeline.gst.camera import CameraRunner
from pipeline.worker.metrics import CameraSnapshot, Latency
from plugins.ledger import Ledger


@dataclass(slots=True)
class Seen:
    """What a camera has shown since it was started."""

    latency: Latency = field(default_factory=Latency)
    detections: int = 0
    tried: bool = False

    def observe(self, result: FrameResult) -> None:
        """Takes note of a published frame."""
        self.latency.observe((time.time_ns() - result.captured_ns) / 1e9)
        self.detections += len(result.detections)


@dataclass(frozen=True, slots=True)
class RunningCamera:
    """A camera that a worker runs."""

    spec: Camera
    runner: CameraRunner
    ledger: Ledger
    seen: Seen

    def snapshot(self) -> CameraSnapshot:
        """How it is now."""
        counts, in_flight = self.ledger.counts()
        return CameraSnapshot(
            self.runner.state.value,
            self.runner.reason,
            counts,
            in_flight,
            self.seen.detections,
            self.seen.latency.snapshot(),
            self.seen.tried,
        )

    def status(self) -> Status:
        """The message that tells of its state now."""
        runner = self.runner
        return status_of(
            Transition(
                runner.name, runner.state, runner.reason, runner.attempt, None, runner.since_ns
            ),
            self.ledger,
        )


def start_camera(
    name: str, spec: Camera, threads: int, tell: Callable[[Status], None]
) -> RunningCamera:
    """Starts a camera; its changes of state are told as messages of its ``status`` stream.

    Raises:
        ValueError: its address means nothing, or a class to blur is one that nothing finds.
    """
    as_they_run = [stage.with_models(serving.runs) for stage in spec.stages]
    if lines := list(check_blur(spec.preview.blur, as_they_run, "preview.blur")):
        raise ValueError("; ".join(lines))
    seen = Seen()
    ledger = Ledger(name, seen.observe)

    def on_change(change: Transition) -> None:
        seen.tried = seen.tried or change.state != State.CONNECTING
        tell(status_of(change, ledger))

    runner = CameraRunner(name, spec, stages_text(name, spec, threads), ledger, on_change)
    runner.start()
    return RunningCamera(spec, runner, ledger, seen)


def status_of(change: Transition, ledger: Ledger) -> Status:
    """The message that tells of a transition."""
    counts, _ = ledger.counts()
    return Status(
        camera=change.camera,
        state=change.state.value,
        reason=change.reason,
        ts=time.time(),
        since=change.at_ns / 1e9,
        attempt=change.attempt,
        counts=counts,
    )

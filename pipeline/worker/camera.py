"""A running camera as its worker holds it: runner, account, and configuration."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from engines.serving import Models
from mirante.faults import FaultCode
from mirante.frame import Counts, FrameResult
from mirante.status import Status
from pipeline.cameras.graph import stages_text
from pipeline.cameras.sharing import SharedSessions
from pipeline.cameras.state import WAITING, State, Transition
from pipeline.config.camera import Camera
from pipeline.config.references import check_blur
from pipeline.config.view_stream import check_hidden, view_stream_of
from pipeline.control.counted_report import CountedReport
from pipeline.control.held_report import HeldReport
from pipeline.control.reports import CameraReport, StreamReport, ViewReport
from pipeline.control.sleep_report import SleepReport
from pipeline.worker.camera_events import CameraEvents
from pipeline.worker.clips import WorkerClips, of_view
from pipeline.worker.memories import Memories
from pipeline.worker.metrics import Latency
from pipeline.worker.outages import tell_outage
from pipeline.worker.tenancy import STANDBY_REASON, STANDBY_STATE
from plugins.carriage import Carriage
from plugins.clips.recorder import Recorder
from plugins.gate.calm import Calm
from plugins.ledger import Ledger
from plugins.line import Line
from plugins.outbox.outbox import Outbox
from plugins.preview.view_images import ViewImages
from plugins.thread_times import ThreadTimes
from plugins.trace import Sample

STOP_TIMEOUT_S = 5.0


class Runner(Protocol):
    """The runner of one camera, which knows its state. In the worker a GStreamer graph."""

    name: str

    @property
    def state(self) -> State:
        """The camera's current state."""

    @property
    def reason(self) -> str:
        """Why, in words."""

    @property
    def code(self) -> FaultCode | None:
        """Why, as a code; None when nothing is wrong."""

    @property
    def attempt(self) -> int:
        """Failed attempts in a row."""

    @property
    def since_ns(self) -> int:
        """Unix time in ns at which the state began."""

    @property
    def stream(self) -> StreamReport | None:
        """What is known of the stream; None while none comes."""

    @property
    def finished(self) -> bool:
        """True when there will be no further attempt."""

    def start(self) -> None:
        """Begin to connect; return at once."""

    def stop(self, timeout_s: float = ..., reason: str = ...) -> None:
        """End the camera for a reason in words; wait for at most ``timeout_s``."""


class MakeRunner(Protocol):
    """Makes the runner of a camera, as ``pipeline.gst.camera.CameraRunner`` does."""

    def __call__(
        self,
        name: str,
        spec: Camera,
        stages: str,
        line: Line,
        on_change: Callable[[Transition], None],
        shared: SharedSessions | None = None,
    ) -> Runner:
        """Arguments and errors as of ``CameraRunner``."""


PAUSED = CameraReport(
    state=State.STOPPED.value, reason="paused", counts=None, in_flight=0, detections=0
)
HELD = CameraReport(
    state=State.CONNECTING.value,
    reason="looking for the file of its model",
    counts=Counts(),
    in_flight=0,
    detections=0,
    tried=False,
)
STANDBY = CameraReport(
    state=STANDBY_STATE,
    reason=STANDBY_REASON,
    counts=Counts(),
    in_flight=0,
    detections=0,
    tried=False,
)


def refused_report(name: str, why: str) -> CameraReport:
    """Return the report of a camera that cannot begin: its key or model is missing, or is wrong."""
    return CameraReport(
        state=State.FAILED.value,
        reason=why.removeprefix(f'camera "{name}": '),
        counts=Counts(),
        in_flight=0,
        detections=0,
        code=FaultCode.INVALID.value,
    )


@dataclass(slots=True)
class Seen:
    """The observations of a camera since it was started."""

    latency: Latency = field(default_factory=Latency)
    detections: int = 0
    tried: bool = False

    def observe(self, result: FrameResult) -> None:
        """Takes note of a published frame."""
        self.latency.observe((time.time_ns() - result.captured_ns) / 1e9)
        self.detections += len(result.detections)


@dataclass(frozen=True, slots=True)
class RunningCamera:
    """A camera that a worker runs.

    Attributes:
        images: those of its view, where it has one.
        clips: makes its clips, where it keeps some.
        live: settings of its stages that take the place of those with which they began.
        carriage: counts its events and objects.
        calm: how it sleeps.
        threads: what works for it alone.
        onvif: receives the camera's own events, where that is asked for.
        line: what its elements share.
    """

    spec: Camera
    runner: Runner
    ledger: Ledger
    seen: Seen
    carriage: Carriage
    calm: Calm
    threads: ThreadTimes
    line: Line
    images: ViewImages | None = None
    clips: Recorder | None = None
    live: dict[str, str] = field(default_factory=dict)
    onvif: CameraEvents | None = None

    def stop(self, timeout_s: float, reason: str) -> None:
        """Stop it for a reason in words, and then what is recorded of it."""
        if self.onvif is not None:
            self.onvif.end()
        self.runner.stop(timeout_s, reason)
        if self.onvif is not None:
            self.onvif.join(timeout_s)
        if self.clips is not None:
            self.clips.close()

    def report(self, view: ViewReport | None = None) -> CameraReport:
        """Return how it is now, with how its ``view`` is."""
        counts, in_flight = self.ledger.counts()
        return CameraReport(
            state=self.runner.state.value,
            reason=self.runner.reason,
            counts=counts,
            in_flight=in_flight,
            detections=self.seen.detections,
            latency=self.seen.latency.report(),
            tried=self.seen.tried,
            view=view,
            code=self.runner.code,
            stream=self.runner.stream,
            events=dict(self.carriage.carried),
            counted=counted_by(self.carriage),
            sleep=slept(self.calm),
            cpu_s=self.threads.seconds(),
            cpu_percent=self.threads.percent(),
            onvif=None if self.onvif is None else self.onvif.report,
            held=held_by(self.spec, self.line),
        )

    def status(self) -> Status:
        """The message that tells of its state now."""
        return status_of(_transition(self.runner), self.ledger)


@dataclass(frozen=True, slots=True)
class CameraStarter:
    """Starts cameras that share an outbox and models.

    Attributes:
        make_runner: makes what runs a camera.
        outbox: where results wait for Redis.
        models: what the cameras run.
        threads: of one inference.
        shared: the sessions that they may share; None where each opens its own.
        sample: begins the traces of sampled frames; None where none are.
        clips: makes the recorders of cameras that keep clips; None where none does.
        memories: what the stages of each camera know, across its restarts.
    """

    make_runner: MakeRunner
    outbox: Outbox
    models: Models
    threads: int
    shared: SharedSessions | None = None
    sample: Sample | None = None
    clips: WorkerClips | None = None
    memories: Memories = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "memories", Memories(self.outbox))

    def start(self, name: str, spec: Camera, takes_over: bool = False) -> RunningCamera:
        """Start a camera; its changes of state are told as messages of its ``status`` stream.

        Args:
            name: the camera's name.
            spec: the camera.
            takes_over: another worker publishes it until this one has its first frame.

        Raises:
            ValueError: its address means nothing, or a class to blur is one that nothing finds.
        """
        stages = [stage.with_models(self.models.runs) for stage in spec.stages or ()]
        blur = check_blur(spec.preview.blur, stages, "preview.blur")
        if lines := [*blur, *check_hidden(spec, name)]:
            raise ValueError("; ".join(lines))
        seen = Seen()
        ledger = Ledger(name, seen.observe, self.sample)

        images = self._images(name, spec)
        memory = self.memories.adopt(name) if takes_over else self.memories.of(name)
        line = Line(ledger, self.outbox, self.models, images, memory, takes_over=takes_over)
        if takes_over:
            line.carriage.outbox = None

        def on_change(change: Transition) -> None:
            is_answer = change.state != State.CONNECTING or change.reason == WAITING
            seen.tried = seen.tried or is_answer
            self.outbox.status(status_of(change, ledger))
            tell_outage(line, change)

        self.outbox.limit(name, spec.max_mib.model_dump())
        text = stages_text(name, spec, self.threads)
        line.clips = self.clips.recorder(name, spec) if self.clips is not None else None
        if line.clips is not None and not of_view(spec):
            line.rings = (line.clips.ring,)
        runner = self.make_runner(name, spec, text, line, on_change, self.shared)
        line.on_taken = lambda: tell_outage(line, _transition(runner))
        runner.start()
        onvif = CameraEvents.of(name, spec, line, lambda: runner.state)
        return RunningCamera(
            spec,
            runner,
            ledger,
            seen,
            line.carriage,
            line.calm,
            line.threads,
            line,
            images,
            line.clips,
            line.live,
            onvif,
        )

    def _images(self, name: str, spec: Camera) -> ViewImages | None:
        """Return what takes the images of the camera's view."""
        if view_stream_of(spec) is None:
            return None
        preview = spec.preview
        hides = bool(spec.crop or spec.mask)
        return ViewImages(name, self.outbox, preview.fps, preview.quality, hides)


def _transition(runner: Runner) -> Transition:
    """Return how a camera came to be as it is now."""
    return Transition(
        *(runner.name, runner.state, runner.reason, runner.attempt, None),
        *(runner.since_ns, runner.code),
    )


def slept(calm: Calm) -> SleepReport | None:
    """Return how a camera sleeps; None where it never does."""
    if not calm.may_sleep:
        return None
    asleep_s, of_s = calm.slept_s()
    return SleepReport(
        asleep=calm.is_asleep,
        asleep_s=asleep_s,
        of_s=of_s,
        wakes=dict(calm.wakes),
        unseen=calm.unseen,
        left_alone=calm.left_alone,
    )


def held_by(spec: Camera, line: Line) -> HeldReport | None:
    """Return what a camera holds of a GPU's memory; None for one that is not decoded there."""
    if spec.decode != "nvidia":
        return None
    held = line.held
    return HeldReport(surfaces=len(held.surfaces), bytes=held.bytes, most=held.most)


def counted_by(carriage: Carriage) -> tuple[CountedReport, ...]:
    """Return the objects counted of what is carried."""
    totals = {} if carriage.tally is None else dict(carriage.tally.totals)
    return tuple(
        CountedReport(metric=metric, place=place, label=label, number=number)
        for (metric, place, label), number in totals.items()
    )


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
        code=change.code,
    )


def bare_status(camera: str, state: State, reason: str, code: FaultCode | None = None) -> Status:
    """The message of a camera that has no runner to say it."""
    now_s = time.time()
    return Status(
        camera=camera,
        state=state.value,
        reason=reason,
        ts=now_s,
        since=now_s,
        code=code,
    )


def stop_all(
    cameras: Mapping[str, RunningCamera], reasons: Mapping[str, str] = MappingProxyType({})
) -> None:
    """All at once: one that hangs must not keep the others waiting, nor the lease."""
    threads = [
        threading.Thread(
            target=running.stop,
            args=(STOP_TIMEOUT_S, reasons.get(name, "on request")),
        )
        for name, running in cameras.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

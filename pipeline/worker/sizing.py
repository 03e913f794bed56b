"""Measure what a camera costs here, busy and quiet, by running it, and how many like it fit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from pipeline.cameras.gating import can_pass_over
from pipeline.config.camera import Camera
from pipeline.config.engine import Engine
from pipeline.config.settings import Settings
from pipeline.control.room import Space
from pipeline.worker.camera import MakeRunner
from pipeline.worker.engine_choice import choice_of
from pipeline.worker.load import Mark, Use, resident_bytes, space_of
from pipeline.worker.process import run_worker
from pipeline.worker.worker import Worker

Told = Callable[[str], None]

SHORTEST_S = 20.0
_SHARES = {"alone": 0.1, "busy": 0.35, "quiet": 0.55}  # of the time
_WARM = {"alone": 0.3, "busy": 0.3, "quiet": 0.6}  # of a part, before what counts
_WORDS = {"alone": "a worker alone", "busy": "the camera, busy", "quiet": "the camera, quiet"}
_START_S = 60.0  # that a camera may take to show frames
_FULL = 0.95  # of the cores, from which on a camera may not get what it asks for
_LOST = 0.02  # of the frames
_NAME = "camera"
_ALL = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]


class SizeError(RuntimeError):
    """Nothing could be measured; the message says why."""


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What one camera costs.

    Attributes:
        cores: processor time a second, without that of a worker without cameras.
        decoded, looked: frames a second that were decoded, and that models looked at.
        lost: frames a second that were dropped as the stages had no time for them.
    """

    cores: float
    decoded: float
    looked: float
    lost: float


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How many cameras like one fit.

    Attributes:
        busy, quiet: what one costs; quiet is None for a camera without a gate, which is never so.
        asleep: it had fallen asleep when it was quiet: key frames alone were decoded.
        camera_bytes: memory of one, without the models, which cameras share.
        worker: cores of a worker without cameras, with its Redis.
        worker_bytes: memory of a worker with the models.
        others: cores in use by all else that runs here.
        space: the machine with others and the worker on it.
        fits_busy, fits_quiet: cameras like it that fit besides what runs, all busy, or all quiet.
        limited_by: what runs out first when all are busy.
        is_full: the machine had no time for all of it, so that a camera costs more than was
            measured.
    """

    busy: Cost
    quiet: Cost | None
    asleep: bool
    camera_bytes: int
    worker: float
    worker_bytes: int
    others: float
    space: Space
    fits_busy: int
    fits_quiet: int | None
    limited_by: str
    is_full: bool


@dataclass
class _Part:
    """One run of the worker, and what is noted in it."""

    name: str
    seconds: float
    marks: list[tuple[Mark, int, int, int]] = field(default_factory=list)
    worker_bytes: int = 0
    peak_bytes: int = 0
    began_s: float = 0.0
    due_s: float = float("inf")
    reason: str = ""

    def started(self, _worker: Worker, _redis: str, _page: str | None) -> None:
        """Called with the models loaded and no camera started."""
        self.worker_bytes = resident_bytes()
        self.began_s = time.monotonic()

    def tick(self, worker: Worker, stop: threading.Event) -> None:
        """Called a few times a second: notes the start and the end of what counts."""
        now_s, frames = time.monotonic(), _frames(worker)
        if self.due_s == float("inf"):
            if frames is None:
                self.reason = _reason(worker)
                if now_s - self.began_s > _START_S:
                    stop.set()
                return
            self.began_s = now_s
            self.due_s = now_s + _WARM[self.name] * self.seconds
        if now_s < self.due_s:
            return
        self.marks.append((Mark.now(), *(frames or (0, 0, 0))))
        self.peak_bytes = max(self.peak_bytes, resident_bytes())
        self.due_s = self.began_s + self.seconds
        if len(self.marks) == 2:
            stop.set()

    def use(self) -> Use:
        """Return the cores in use meanwhile.

        Raises:
            SizeError: the camera showed nothing, or it was stopped.
        """
        if len(self.marks) < 2:
            raise SizeError(f"nothing was measured: {self.reason or 'it was stopped'}")
        return Use.between(self.marks[0][0], self.marks[1][0])

    def cost(self, alone: Use) -> Cost:
        """Return what the camera costs, with what a worker costs without one taken off."""
        (before, *first), (after, *last) = self.marks
        seconds = after.at_s - before.at_s
        rates = [round((b - a) / seconds, 2) for a, b in zip(first, last, strict=True)]
        cores = max(self.use().own - alone.own, 1e-4)  # one that costs nothing is beyond measuring
        return Cost(cores=cores, decoded=rates[0], looked=rates[1], lost=rates[2])


def measure(
    camera: Camera, settings: Settings, make_runner: MakeRunner, seconds: float, told: Told
) -> Size:
    """Run a camera, busy and then quiet, and say how many like it fit.

    Busy, its gate is off: models look at each frame that its rate lets pass. Quiet, all of its
    image is painted black, so that nothing moves, and it may fall asleep; what it sends is decoded
    as ever. First comes a worker without a camera. Neither clips nor a view stream are made.

    Args:
        camera: with its stages, and all that it inherits.
        settings: of the worker, of which engine and models count.
        make_runner: makes what runs a camera.
        seconds: of measuring, 20 at least; starting comes on top.
        told: called with what is being done.

    Raises:
        ValueError: the time is too short, the camera takes all there is, or a model does not fit.
        SizeError: no frames come; says why.
    """
    if seconds < SHORTEST_S:
        raise ValueError(f"--seconds: expected {SHORTEST_S:g} or more, got {seconds:g}")
    if camera.pace != "realtime":
        raise ValueError(f"pace: expected realtime, got {camera.pace}, which takes all there is")
    own = {"clips": None, "view": None, "onvif": None, "loop": True}
    engine = _engine(settings, camera)
    parts = {name: _Part(name, share * seconds) for name, share in _SHARES.items()}

    def run(name: str, **changes: Any) -> _Part:
        part, stop = parts[name], threading.Event()
        told(f"{_WORDS[name]}: {part.seconds:.0f} s, and its start")
        cameras = {_NAME: camera.model_copy(update=own | changes)} if name != "alone" else {}
        run_worker(
            _around(settings, engine, cameras),
            make_runner,
            stop=stop,
            on_start=part.started,
            on_tick=lambda worker: part.tick(worker, stop),
        )
        return part

    alone = run("alone").use()
    busy = run("busy", gate="off", fps=camera.most_fps)
    uses, quiet, asleep = [alone, busy.use()], None, False
    if can_pass_over(camera):
        part = run("quiet", gate="on", mask=[_ALL])
        uses.append(part.use())
        quiet = part.cost(alone)
        asleep = quiet.decoded < busy.cost(alone).decoded / 2
    return _size(busy, quiet, asleep, uses)


def _size(busy: _Part, quiet: Cost | None, asleep: bool, uses: Sequence[Use]) -> Size:
    """Return the answer; ``uses`` are those of all parts, of a worker alone first."""
    alone, others = uses[0], sum(use.others for use in uses) / len(uses)
    cost = busy.cost(alone)
    camera_bytes = max(0, busy.peak_bytes - busy.worker_bytes)
    space = space_of(others + alone.own)
    # What this process holds of the memory is free again when it ends.
    left = max(0, space.memory_free_bytes + resident_bytes() - busy.worker_bytes)
    space = msgspec.structs.replace(space, memory_free_bytes=left)
    fits = space.holds(cost.cores, camera_bytes)
    return Size(
        busy=cost,
        quiet=quiet,
        asleep=asleep,
        camera_bytes=camera_bytes,
        worker=alone.own,
        worker_bytes=busy.worker_bytes,
        others=others,
        space=space,
        fits_busy=fits.more,
        fits_quiet=None if quiet is None else space.holds(quiet.cores, camera_bytes).more,
        limited_by=fits.limited_by,
        is_full=cost.lost > _LOST * cost.decoded
        or any(use.own + use.others > _FULL * space.cores for use in uses),
    )


def _around(settings: Settings, engine: Engine, cameras: dict[str, Camera]) -> Settings:
    """Return a worker that has nothing around it but its Redis."""
    return settings.model_copy(
        update={
            "worker": "size",
            "redis": type(settings.redis)(),
            "metrics": settings.metrics.model_copy(update={"port": None}),
            "dashboard": settings.dashboard.model_copy(update={"port": None}),
            "telemetry": type(settings.telemetry)(),
            "engine": engine,
            "cameras": cameras,
        }
    )


def _engine(settings: Settings, camera: Camera) -> Engine:
    """Return how models run: by the engine that is there already, as none is built meanwhile.

    A session has one thread, as where there are as many cameras as fit.
    """
    threads = settings.engine.threads or 1
    engine = settings.engine.model_copy(update={"threads": threads})
    choice = choice_of(engine, threads)
    models = {use.name for use in camera.models()}
    if choice is None or all(not choice.applies(each) or choice.find(each) for each in models):
        return engine
    return Engine(runtime=None, threads=threads)


def _frames(worker: Worker) -> tuple[int, int, int] | None:
    """Return frames decoded, looked at and lost so far; None until some were published."""
    cameras = worker.state().cameras
    if not worker.settings.cameras:
        return 0, 0, 0
    counts = cameras[_NAME].counts if _NAME in cameras else None
    if counts is None or not counts.published:
        return None
    looked = counts.published - sum(counts.skipped.values())
    return counts.decoded, looked, counts.dropped.get("queue", 0)


def _reason(worker: Worker) -> str:
    camera = worker.state().cameras.get(_NAME)
    return "" if camera is None else f"{camera.state}: {camera.reason}"

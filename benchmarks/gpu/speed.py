"""Images a second of our sessions and models, beside the bare loop on the same engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from statistics import median

from benchmarks.gpu.building import kept_engines
from benchmarks.gpu.figures import Figure
from benchmarks.gpu.frames import DeviceImages
from benchmarks.gpu.here import Here
from benchmarks.gpu.job import Job
from benchmarks.gpu.needs import words_of
from benchmarks.models.batches import stacked
from benchmarks.models.batching import calls_per_s, close
from engines.batcher import Batchers
from engines.placement import Size
from engines.runtimes.tensorrt.floor import Load
from engines.store.engines import Engine

ROUNDS = 3
CALLERS = 2  # of full batches: as many as a session has lanes
CAMERAS, FRAME = 32, (1920, 1080)
TURN_S = 0.5
WANTED = "0.95 of it wanted; DeepStream reports 0.6 to 0.9"


def measure(job: Job, here: Here, frame: Size = FRAME) -> Iterator[Figure]:
    """Time each engine by our session, by models on frames of the GPU, and by the bare loop."""
    turn_s = min(TURN_S, job.seconds / 100)
    for name, engine in kept_engines(job, here):
        for what, figure in (
            (f"{name}, {engine.about['batch']} images a call", _batches),
            (f"{name}, {CAMERAS} cameras, frames in the GPU's memory", _cameras(frame)),
        ):
            try:
                yield figure(what, engine, here, turn_s)
            except (ImportError, ValueError, RuntimeError, OSError) as error:
                yield Figure(what=what, note=words_of(error))


def _batches(what: str, engine: Engine, here: Here, turn_s: float) -> Figure:
    """Full batches from the host's memory and back, beside a loop that copies as much."""
    runtime, batch = str(engine.about["runtime"]), int(engine.about["batch"])
    session = here.open(runtime, engine.file)
    try:
        call = partial(session.run, stacked(here.feeds(engine, session), batch))
        return _beside(what, [call] * CALLERS, batch, engine, here, Load(batch, seconds=turn_s))
    finally:
        close(session)


def _cameras(frame: Size) -> Callable[[str, Engine, Here, float], Figure]:
    """One frame each, decoded and on the GPU, to what is found, beside a loop without copies."""

    def figure(what: str, engine: Engine, here: Here, turn_s: float) -> Figure:
        batchers, batch = Batchers(), int(engine.about["batch"])
        load = Load(batch, seconds=turn_s, copies=False)
        with closing(DeviceImages(here.cuda(), CAMERAS, frame)) as images:
            models = [here.load(engine.manifest, batchers) for _ in images.all]
            pairs = zip(models, images.all, strict=True)
            calls = [partial(model, image) for model, image in pairs]
            return _beside(what, calls, 1, engine, here, load)

    return figure


def _beside(
    what: str,
    calls: Sequence[Callable[[], object]],
    images: int,
    engine: Engine,
    here: Here,
    load: Load,
) -> Figure:
    """Time calls of so many images each, and the bare loop, in turns."""
    calls[0]()
    ours, floors = [], []
    for _ in range(ROUNDS):
        ours.append(images * calls_per_s(calls, load.seconds))
        floors.append(here.floor(str(engine.about["runtime"]), engine.file, load))
    return Figure(
        what=what,
        value=median(ours),
        unit="images/s",
        beside=median(floors),
        of=f"the bare loop{'' if load.copies else ' without copies'}",
        note=WANTED,
    )

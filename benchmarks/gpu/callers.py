"""The batcher of a GPU's engine under 1 to 64 callers of one image each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from benchmarks.gpu.building import chosen_engine
from benchmarks.gpu.figures import Figure
from benchmarks.gpu.here import Here
from benchmarks.gpu.job import Job
from benchmarks.models.batches import stacked
from benchmarks.models.batching import calls_per_s, close
from engines.batcher import Batcher

CALLERS = (1, 4, 16, 64)
TURN_S = 3.0


def measure(job: Job, here: Here) -> Iterator[Figure]:
    """Time callers of one engine, beside full batches by two callers."""
    turn_s = min(TURN_S, job.seconds / 12)
    name, engine = chosen_engine(job, here)
    runtime, batch = str(engine.about["runtime"]), int(engine.about["batch"])
    session = here.open(runtime, engine.file)
    batcher = Batcher(session, batch, lanes=getattr(session, "lanes", 1))
    try:
        feeds = here.feeds(engine, session)
        full = partial(session.run, stacked(feeds, batch))
        full()
        full_s = batch * calls_per_s([full] * 2, turn_s)
        for count in CALLERS:
            calls = [partial(batcher.run, feeds[i % len(feeds)]) for i in range(count)]
            yield _figure(f"{name}, {count} callers", calls, full_s, turn_s)
    finally:
        batcher.close()
        close(session)


def _figure(
    what: str, calls: Sequence[Callable[[], object]], full_s: float, turn_s: float
) -> Figure:
    taken_ms: list[float] = []

    def timed(call: Callable[[], object]) -> None:
        began_s = time.perf_counter()
        call()
        taken_ms.append((time.perf_counter() - began_s) * 1e3)

    rate = calls_per_s([partial(timed, call) for call in calls], turn_s)
    p50, p95 = (float(each) for each in np.percentile(taken_ms, [50, 95]))
    return Figure(
        what=what,
        value=rate,
        unit="images/s",
        beside=full_s,
        of="full batches",
        note=f"a call takes {p50:.2f} ms, p95 {p95:.2f}",
        more={"p50_ms": p50, "p95_ms": p95},
    )

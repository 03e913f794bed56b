"""The whole line: how many cameras, until a result comes too late or does not come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.gpu.building import kept_engines
from benchmarks.gpu.decoding import CLIPS, FPS, SHIPPED
from benchmarks.gpu.figures import Figure, mib_of_one_more
from benchmarks.gpu.here import Here
from benchmarks.gpu.job import Job
from benchmarks.gpu.needs import words_of
from benchmarks.gpu.worker import Cameras
from benchmarks.latency.processes import looking
from mirante.home import home
from pipeline.demo.rtsp_process import rtsp_cameras
from pipeline.demo.tally import Tally
from pipeline.worker.redis_server import RedisServer

LATE_MS = 100.0  # p95 from capture to message
KEPT_UP = 0.9  # of the frames that were sent
PER_SERVER = 32  # cameras of one process that sends
LOOKED_AT = 16  # cameras whose results are read
START_S, SETTLE_S, TURN_S = 45.0, 2.0, 4.0
ANCHORS = "DeepStream: 148 and 229 streams on an H100; VSS: 50 streams at a p95 of 901 ms"


@dataclass(frozen=True, slots=True)
class Step:
    """What some cameras at once reached.

    Attributes:
        cameras: how many.
        why: they did not run at all; then nothing else is set.
        p50_ms, p95_ms: from capture to a subscriber that has read the message.
        read: share of the frames sent whose results were read.
        used_bytes: of the GPU's memory, by whomever; None where NVML does not tell.
    """

    cameras: int
    why: str = ""
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    read: float = 0.0
    used_bytes: int | None = None

    @property
    def is_good(self) -> bool:
        """True if results come in time, and come."""
        return not self.why and self.p95_ms <= LATE_MS and self.read >= KEPT_UP

    def __str__(self) -> str:
        if self.why:
            return f"{self.cameras}: {self.why}"
        return f"{self.cameras}: p95 {self.p95_ms:.0f} ms, {self.read:.0%} of the frames read"


Run = Callable[[int], Step]


def measure(job: Job, here: Here, run: Run | None = None) -> Iterator[Figure]:
    """Run more and more cameras, then halve the gap; tell each step, and memory of a camera."""
    name, engine = next(kept_engines(job, here))
    seconds = min(TURN_S, job.seconds / 20)
    run = run or (lambda cameras: run_step(cameras, str(engine.manifest), job, here, seconds))
    until_s = time.monotonic() + job.seconds
    steps: list[Step] = []
    for step in search(run, job.most, lambda: until_s - time.monotonic()):
        steps.append(step)
        if not step.why:
            yield _figure(step, name)
    yield from _ends(name, steps, job)


def search(run: Run, most: int, left_s: Callable[[], float]) -> Iterator[Step]:
    """Yield steps of twice as many cameras until one is not good, then of half the gap between.

    It ends when the gap is a tenth, or when a step would not end in the time left.

    Args:
        run: runs so many cameras; where it cannot, that is a step that is not good, or, of the
            first one, an error.
        most: cameras.
        left_s: seconds left.
    """
    cameras, good, bad, longest_s = 1, 0, most + 1, 0.0
    while bad - good > max(1, good // 10) and left_s() > 1.5 * longest_s:
        began_s = left_s()
        try:
            step = run(cameras)
        except RuntimeError as error:
            if not good:
                raise
            step = Step(cameras, words_of(error))
        longest_s = max(longest_s, began_s - left_s())
        yield step
        if step.is_good:
            good = cameras
        else:
            bad = cameras
        cameras = min(2 * good, most) if bad > most else (good + bad) // 2


def _figure(step: Step, name: str) -> Figure:
    return Figure(
        what=f"{step.cameras} cameras of 1080p30, {name}",
        value=step.p95_ms,
        unit="ms",
        beside=LATE_MS,
        of="the limit of p95",
        note=f"p50 {step.p50_ms:.0f} ms; {step.read:.0%} of the frames read",
        more={"p50_ms": step.p50_ms, "read": step.read},
    )


def run_step(cameras: int, model: str, job: Job, here: Here, seconds: float) -> Step:
    """Run cameras that an RTSP server sends, in as many workers as they take, with a Redis.

    Raises:
        RuntimeError: a process does not start, or ends; or there are no results in time.
    """
    names = [f"bench{n}" for n in range(cameras)]
    clip = (Path(job.clips) if job.clips else SHIPPED) / CLIPS["H.264"]
    with ExitStack() as stack:
        server = stack.enter_context(RedisServer(port=0))
        tally = Tally(names[:: -(-cameras // LOOKED_AT)])
        tally.start(server.url)
        stack.callback(tally.stop)  # when the workers are gone: it reads until nothing comes
        urls: dict[str, str] = {}
        for some in _split(names, PER_SERVER):
            sending = rtsp_cameras(dict.fromkeys(some, clip), home("cache") / "bench")
            urls |= stack.enter_context(sending)
        checks = []
        for some in _split(names, job.per_worker):
            options = {"decode": job.decode, "gate": "off", "stages": [{"model": model}]}
            task = Cameras(server.url, {name: {"url": urls[name], **options} for name in some})
            checks.append(stack.enter_context(looking("benchmarks.gpu.worker", task.text()))[1])
        _await_all(tally, checks)
        return _read(cameras, tally, here, seconds)


def _await_all(tally: Tally, checks: Sequence[Callable[[], None]]) -> None:
    until_s = time.monotonic() + START_S
    while any(not each.frames for each in tally.cameras.values()):
        for check in checks:
            check()
        if time.monotonic() > until_s:
            raise RuntimeError(f"no results of all cameras within {START_S:g} s")
        time.sleep(0.05)
    time.sleep(SETTLE_S)


def _read(cameras: int, tally: Tally, here: Here, seconds: float) -> Step:
    before = {name: len(each.latency_ms) for name, each in tally.cameras.items()}
    time.sleep(seconds)
    new = [each.latency_ms[before[name] :] for name, each in tally.cameras.items()]
    taken = [ms for each in new for ms in each]
    if not taken:
        raise RuntimeError(f"no results were read within {seconds:g} s")
    p50, p95 = (float(each) for each in np.percentile(taken, [50, 95]))
    read = len(taken) / (len(new) * FPS * seconds)
    return Step(cameras, "", p50, p95, read, here.used_bytes())


def _ends(name: str, steps: Sequence[Step], job: Job) -> Iterator[Figure]:
    """Yield the streams that were good, and the memory that one more camera of a worker takes."""
    good = [each for each in steps if each.is_good]
    bad = sorted((each for each in steps if not each.is_good), key=lambda each: each.cameras)
    most = max((each.cameras for each in good), default=0)
    limit = f"not {bad[0]}" if bad else "no more were tried"
    yield Figure(
        what=f"streams of the whole line, {name}",
        value=float(most),
        unit="streams",
        note=f"p95 within {LATE_MS:g} ms; {limit}. {ANCHORS}",
    )
    held = {
        each.cameras: each.used_bytes
        for each in steps
        if each.used_bytes is not None and each.cameras <= job.per_worker
    }
    what = "GPU memory of one more camera"
    if len(held) < 2:
        yield Figure(what=what, note="it takes NVML, and two steps of one worker")
        return
    note = f"of {max(held)} beside {min(held)}"
    yield Figure(what=what, value=mib_of_one_more(held), unit="MiB", note=note)


def _split(names: Sequence[str], size: int) -> list[Sequence[str]]:
    return [names[start : start + size] for start in range(0, len(names), size)]

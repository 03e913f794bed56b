"""The whole line: how many cameras, until a result comes too late or does not come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.gpu.building import chosen_engine
from benchmarks.gpu.decoding import CLIPS, FPS, MEDIA, SHIPPED
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
# Of the time, at which each codec ends: the first looks for its number from one camera on.
SHARES = {"H.264": 0.6, "H.265": 1.0}
_STREAMS = "streams of the whole line, "
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


Run = Callable[[int, str], Step]  # so many cameras of a codec


def measure(job: Job, here: Here, run: Run | None = None) -> Iterator[Figure]:
    """Run more and more cameras, then halve the gap; tell each step, and memory of a camera.

    Those of H.265 begin with as many as were good in H.264, as decoding it costs about the same.
    """
    name, engine = chosen_engine(job, here)
    seconds = min(TURN_S, job.seconds / 20)
    run = run or (
        lambda cameras, codec: run_step(cameras, codec, str(engine.manifest), job, here, seconds)
    )
    begin_s, first, held = time.monotonic(), 1, list[Step]()
    for codec, share in SHARES.items():
        what, steps = f"{codec}, {name}", list[Step]()
        if is_decoded(codec, job.decode):
            clock = partial(_left_s, begin_s + share * job.seconds)
            found = search(_of(run, codec), job.most, clock, first)
            yield from _told(what, found, steps)
            first = max([1, *(each.cameras for each in steps if each.is_good)])
        else:
            yield Figure(what=_STREAMS + what, note=f"no decoder of {codec} is here")
        held = held or steps
    yield _memory(held, job)


def _of(run: Run, codec: str) -> Callable[[int], Step]:
    return lambda cameras: run(cameras, codec)


def _left_s(until_s: float) -> float:
    return until_s - time.monotonic()


def _told(what: str, found: Iterator[Step], steps: list[Step]) -> Iterator[Figure]:
    """Yield each step and the end of a search, and put the steps into ``steps``."""
    try:
        for step in found:
            steps.append(step)
            if not step.why:
                yield _figure(step, what)
    except RuntimeError as error:
        yield Figure(what=_STREAMS + what, note=words_of(error))
        return
    yield _end(what, steps) if steps else Figure(what=_STREAMS + what, note="no time was left")


def is_decoded(codec: str, decode: str) -> bool:
    """Return whether this machine decodes a codec as the option ``decode`` says."""
    from pipeline.gst.decoders import hardware_decoders, software_decoder

    if decode == "software":
        return software_decoder(MEDIA[codec]) is not None
    return any(MEDIA[codec] in each.media for each in hardware_decoders(decode))


def search(
    run: Callable[[int], Step], most: int, left_s: Callable[[], float], first: int = 1
) -> Iterator[Step]:
    """Yield steps of twice as many cameras until one is not good, then of half the gap between.

    It ends when the gap is a tenth, or when a step would not end in the time left.

    Args:
        run: runs so many cameras; where it cannot, that is a step that is not good, or, of one
            camera, an error.
        most: cameras.
        left_s: seconds left.
        first: cameras of the first step.
    """
    cameras, good, bad, longest_s = first, 0, most + 1, 0.0
    while bad - good > max(1, good // 10) and left_s() > 1.5 * longest_s:
        began_s = left_s()
        try:
            step = run(cameras)
        except RuntimeError as error:
            if cameras == 1:
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


def run_step(cameras: int, codec: str, model: str, job: Job, here: Here, seconds: float) -> Step:
    """Run cameras that an RTSP server sends, in as many workers as they take, with a Redis.

    Raises:
        RuntimeError: a process does not start, or ends; or there are no results in time.
    """
    names = [f"bench{n}" for n in range(cameras)]
    clip = (Path(job.clips) if job.clips else SHIPPED) / CLIPS[codec]
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


def _end(what: str, steps: Sequence[Step]) -> Figure:
    """Return the streams that were good."""
    good = [each for each in steps if each.is_good]
    bad = sorted((each for each in steps if not each.is_good), key=lambda each: each.cameras)
    most = max((each.cameras for each in good), default=0)
    limit = f"not {bad[0]}" if bad else "no more were tried"
    return Figure(
        what=_STREAMS + what,
        value=float(most),
        unit="streams",
        note=f"p95 within {LATE_MS:g} ms; {limit}. {ANCHORS}",
    )


def _memory(steps: Sequence[Step], job: Job) -> Figure:
    """Return the memory that one more camera of a worker takes."""
    held = {
        each.cameras: each.used_bytes
        for each in steps
        if each.used_bytes is not None and each.cameras <= job.per_worker
    }
    what = "GPU memory of one more camera"
    if len(held) < 2:
        return Figure(what=what, note="it takes NVML, and two steps of one worker")
    note = f"of {max(held)} beside {min(held)}"
    return Figure(what=what, value=mib_of_one_more(held), unit="MiB", note=note)


def _split(names: Sequence[str], size: int) -> list[Sequence[str]]:
    return [names[start : start + size] for start in range(0, len(names), size)]

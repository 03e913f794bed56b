"""A camera in a process of its own, and the results that it publishes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import mirante
from benchmarks.latency.processes import looking
from benchmarks.line.job import Job
from benchmarks.line.line import cpu_s
from benchmarks.quiet.seen import Seen
from mirante import Event, Frame
from pipeline.worker.redis_server import RedisServer

EARLY = 0.2  # share of a frame period by which a capture time may precede its frame


@dataclass(slots=True)
class Watched:
    """A running camera.

    Attributes:
        check: raises RuntimeError when it has ended.
        pids: of its own process and of its Redis.
        frames, events: published so far.
    """

    check: Callable[[], None]
    pids: tuple[int, int]
    frames: list[Frame] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def cpu_s(self) -> float:
        """CPU seconds so far."""
        return sum(map(cpu_s, self.pids))

    def seen(self, since_s: float, before_s: float, fps: int) -> Seen:
        """Return its results since a Unix time in seconds, when it had used ``before_s`` of CPU.

        Raises:
            RuntimeError: it has none, or has ended.
        """
        self.check()
        wall_s, taken_s = time.time() - since_s, self.cpu_s() - before_s
        ahead_ns, period_ns = time.time_ns() - time.monotonic_ns(), 1_000_000_000 // fps
        numbered = {
            int((frame.captured_ns - ahead_ns) / period_ns + EARLY): frame
            for frame in list(self.frames)
            if frame.ts >= since_s
        }
        if not numbered:
            raise RuntimeError(f"expected results for {wall_s:.0f} s, none came")
        kinds = [event.kind for event in list(self.events) if event.ts >= since_s]
        return Seen(numbered, kinds, taken_s, wall_s)


@contextmanager
def watched(job: Job, lever: str) -> Iterator[Watched]:
    """Run cameras with a lever, and read what the first publishes to a Redis of its own."""
    with RedisServer(port=0) as server:
        told = replace(job, redis=server.url).text()
        with looking("benchmarks.quiet.camera", lever, told) as (pid, check):
            assert server.pid is not None
            camera = Watched(check, (pid, server.pid))
            items = mirante.subscribe("bench0", ("detections", "events"), redis=server.url)

            def read() -> None:
                for item in items:
                    if isinstance(item, Frame):
                        camera.frames.append(item)
                    elif isinstance(item, Event):
                        camera.events.append(item)

            reader = threading.Thread(target=read, name=f"lever {lever}")
            reader.start()
            try:
                yield camera
            finally:
                items.close()
                reader.join()

"""Parts in turn, each in a process of its own and cut off at its limit."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import IO

import msgspec

from benchmarks.gpu.figures import Figure, Outcome, Said, State
from benchmarks.gpu.job import Job
from benchmarks.gpu.nvml import Meter
from benchmarks.gpu.parts import Part
from pipeline.worker.redis_server import DIE_WITH_PARENT

END_S = 5.0  # of the whole limit, for what is cut off to end
LEAST_S = 3.0  # with less left a part is not begun
_KILL_S = 2.0
_SAID = 2000  # characters of what a process that failed wrote
_read = msgspec.json.Decoder(Said)


def run_parts(
    parts: Mapping[str, Part], seconds: float, job: Callable[[float], Job], meter: Meter
) -> Iterator[Outcome]:
    """Run parts one after the other, and yield what became of each.

    A part is given its share of the time that is left, so that what one leaves over is the next
    ones'.

    Args:
        parts: by name.
        seconds: limit of all together.
        job: makes the job of a limit.
        meter: of the power meanwhile.
    """
    until_s = time.monotonic() + seconds - END_S
    left = sum(each.share for each in parts.values())
    for name, part in parts.items():
        limit_s = (until_s - time.monotonic()) * part.share / left
        left -= part.share
        if limit_s < LEAST_S:
            why = f"no time was left: {max(limit_s, 0):.1f} s; more --seconds, or fewer --parts"
            yield Outcome(part=name, state="not run", why=why, limit_s=limit_s)
            continue
        meter.take()
        began_s = time.monotonic()
        outcome = run_part(name, part, job(limit_s))
        yield replace(outcome, seconds=time.monotonic() - began_s, watts=meter.take())


def run_part(name: str, part: Part, job: Job) -> Outcome:
    """Run one part within its limit, and return what became of it."""
    module = [*DIE_WITH_PARENT, sys.executable, "-m", "benchmarks.gpu.child"]
    env = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", **os.environ}  # as NVML has them
    with tempfile.TemporaryFile("w+", errors="replace") as stderr:
        # No context of its own: that would wait for one that hangs in the driver, without a limit.
        try:
            process = subprocess.Popen(
                [*module, part.measure, ",".join(part.needs), job.text()],
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=env,
                start_new_session=True,  # so that all that it starts can be ended with it
            )
        except OSError as error:
            why = f"its process cannot be begun: {error}"
            return Outcome(part=name, state="not run", why=why, limit_s=job.seconds)
        try:
            figures, last = _listen(process, job.seconds)
        finally:
            _end(process)
        state, why = _end_of(last, job.seconds, process, stderr)
    if state == "failed" and last is not None and not figures:
        state = "not run"
    return Outcome(part=name, state=state, why=why, limit_s=job.seconds, figures=tuple(figures))


def _listen(process: subprocess.Popen[bytes], seconds: float) -> tuple[list[Figure], Said | None]:
    """Return the figures until the end or the limit, and the last thing said if it is no figure."""
    assert process.stdout is not None
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    pipe = process.stdout

    def read() -> None:
        with pipe:
            for line in pipe:
                lines.put(line)
        lines.put(b"")

    reader = threading.Thread(target=read, name="figures", daemon=True)
    reader.start()
    until_s, figures = time.monotonic() + seconds, list[Figure]()
    while True:
        try:
            line = lines.get(timeout=max(0.0, until_s - time.monotonic()))
        except queue.Empty:
            return figures, Said()
        if not line:
            return figures, None
        said = _read.decode(line)
        if said.figure is None:
            return figures, said
        figures.append(said.figure)


def _end_of(
    last: Said | None, seconds: float, process: subprocess.Popen[bytes], stderr: IO[str]
) -> tuple[State, str]:
    """Return the state of a part and why."""
    if last is None:
        stderr.seek(0)
        wrote = " ".join(stderr.read()[-_SAID:].split())
        return "failed", f"its process {_how(process)}: {wrote or 'it wrote nothing'}"
    if last.done:
        return "whole", ""
    if last.why:
        return "failed", last.why
    remains = f"; process {process.pid} {_how(process)}" if process.returncode is None else ""
    return "cut", f"at its limit of {seconds:.0f} s{remains}"


def _how(process: subprocess.Popen[bytes]) -> str:
    """Return how a process ended."""
    code = process.returncode
    if code is None:
        return "cannot be ended"
    return f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a part's process and all of its session, as far as they let themselves be ended."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_KILL_S)

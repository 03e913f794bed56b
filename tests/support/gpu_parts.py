"""Parts of ``mirante bench gpu`` that end in every way, for the processes that run them."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator

from benchmarks.gpu.figures import Figure
from benchmarks.gpu.here import Here
from benchmarks.gpu.job import Job

FIRST = Figure(what="first", value=2.0, unit="ms", beside=4.0, of="the floor", more={"p95": 3.0})


def whole(job: Job, _here: Here) -> Iterator[Figure]:
    """Say what it was told, and what a library prints must not be taken for figures."""
    os.write(sys.stdout.fileno(), b"a library's own words\n")
    yield FIRST
    yield Figure(what=",".join(job.models), value=job.seconds)


def hangs(_job: Job, _here: Here) -> Iterator[Figure]:
    """Never end, and not when asked to either."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    yield FIRST
    threading.Event().wait()


def crashes(_job: Job, _here: Here) -> Iterator[Figure]:
    """End as by a fault of a library."""
    yield FIRST
    sys.stderr.write("the GPU\nis lost\n")
    sys.stderr.flush()
    os.kill(os.getpid(), signal.SIGKILL)


def raises(_job: Job, _here: Here) -> Iterator[Figure]:
    """Fail behind a figure."""
    yield FIRST
    raise RuntimeError("it fails\n  in two lines")

"""Those who look at the cameras, each in a process of its own, until it is ended.

python -m benchmarks.latency.variants line '{"clip": "…", "urls": ["rtsp://…"], …}'
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.line.job import Job
from benchmarks.line.variants import loop_of
from pipeline.cameras.synthetic import read_number

if TYPE_CHECKING:
    from benchmarks.line.loops import Reader


def line(job: Job) -> None:
    """The line as a worker runs it, with a stage behind its model that reads the numbers."""
    from benchmarks.line.cameras import run_cameras

    run_cameras(job, "off", {"python": "benchmarks.latency.numbers:Numbers"})


def cv2_loop(job: Job) -> None:
    """The loop with OpenCV's reader."""
    from benchmarks.line.loops import by_opencv

    _loop(job, by_opencv)


def pyav_loop(job: Job) -> None:
    """The loop with PyAV's decoder."""
    from benchmarks.line.loops import by_pyav

    _loop(job, by_pyav)


def _loop(job: Job, read: Reader) -> None:
    loop = replace(
        loop_of(job, read), sources=job.urls, frames=None, number=read_number, batch_s=0.0
    )
    loop.prepare()()


VARIANTS: dict[str, Callable[[Job], None]] = {
    run.__name__: run for run in (line, cv2_loop, pyav_loop)
}


def main() -> None:
    """Runs one variant."""
    VARIANTS[sys.argv[1]](Job.read(sys.argv[2]))


if __name__ == "__main__":
    main()

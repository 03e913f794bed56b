"""Those who look at the cameras, each in a process of its own, until it is ended.

python -m benchmarks.latency.variants line '{"clip": "…", "urls": ["rtsp://…"], …}'
"""

from __future__ import annotations

import json
import sys
import threading
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
    from benchmarks.line.cameras import camera_options, running_cameras

    options = camera_options(job)
    options["stages"] = [*options["stages"], {"python": "benchmarks.latency.numbers:Numbers"}]
    with running_cameras(job, [{"url": url, "gate": "off", **options} for url in job.urls]):
        threading.Event().wait()


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
    given = json.loads(sys.argv[2])
    VARIANTS[sys.argv[1]](Job(**{**given, "urls": tuple(given["urls"])}))


if __name__ == "__main__":
    main()

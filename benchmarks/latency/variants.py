"""The variants that read the cameras, each in a process of its own, until terminated.

python -m benchmarks.latency.variants line '{"clip": "…", "urls": ["rtsp://…"], …}'
"""

from __future__ import annotations

import sys
from dataclasses import replace

from benchmarks.line.job import Job
from benchmarks.line.variants import loop_of
from pipeline.cameras.synthetic import read_number


def line(job: Job) -> None:
    """Run the line as a worker does, with a stage behind its model that reads the numbers."""
    from benchmarks.line.cameras import run_cameras

    run_cameras(job, {"gate": "off"}, {"python": "benchmarks.latency.numbers:Numbers"})


def loop(variant: str, job: Job) -> None:
    """Run a loop on live cameras that reads the numbers and sends each result at once."""
    over_clip = loop_of(variant, job)
    replace(over_clip, sources=job.urls, frames=None, number=read_number, batch_s=0.0).prepare()()


def main() -> None:
    """Run one variant."""
    variant, job = sys.argv[1], Job.read(sys.argv[2])
    line(job) if variant == "line" else loop(variant, job)


if __name__ == "__main__":
    main()

"""Cameras with one of the levers, in a process of its own, until terminated.

python -m benchmarks.quiet.camera gate '{"clip": "…", "urls": ["rtsp://…"], …}'
"""

from __future__ import annotations

import sys

from benchmarks.line.cameras import run_cameras
from benchmarks.line.job import Job
from benchmarks.quiet.plan import LEVERS, PEER


def main() -> None:
    """Run the cameras."""
    name, job = sys.argv[1], Job.read(sys.argv[2])
    if name == PEER:
        from benchmarks.quiet.crops import run_crops

        run_crops(job)
    else:
        lever = LEVERS[name]
        run_cameras(job, lever.camera, {"track": "bytetrack", **lever.track}, lever.model)


if __name__ == "__main__":
    main()

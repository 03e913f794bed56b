"""Cameras with one of the levers, in a process of its own, until terminated.

python -m benchmarks.quiet.camera gate '{"clip": "…", "urls": ["rtsp://…"], …}'
"""

from __future__ import annotations

import sys

from benchmarks.line.cameras import run_cameras
from benchmarks.line.job import Job
from benchmarks.quiet.plan import LEVERS


def main() -> None:
    """Run the cameras."""
    run_cameras(Job.read(sys.argv[2]), LEVERS[sys.argv[1]], {"track": "bytetrack"})


if __name__ == "__main__":
    main()

"""One camera with the gate on or off, in a process of its own, until terminated.

python -m benchmarks.quiet.camera on '{"clip": "…", "urls": ["rtsp://…"], …}'
"""

from __future__ import annotations

import sys

from benchmarks.line.cameras import run_cameras
from benchmarks.line.job import Job


def main() -> None:
    """Run the camera."""
    run_cameras(Job.read(sys.argv[2]), sys.argv[1], {"track": "bytetrack"})


if __name__ == "__main__":
    main()

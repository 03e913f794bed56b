"""One camera with the gate on or off, in a process of its own, until it is ended.

python -m benchmarks.quiet.camera on '{"clip": "…", "urls": ["rtsp://…"], …}'
"""

from __future__ import annotations

import json
import sys
import threading

from benchmarks.line.cameras import camera_options, running_cameras
from benchmarks.line.job import Job


def main() -> None:
    """Runs the camera."""
    given = json.loads(sys.argv[2])
    job = Job(**{**given, "urls": tuple(given["urls"])})
    options = camera_options(job)
    options["stages"] = [*options["stages"], {"track": "bytetrack"}]
    with running_cameras(job, [{"url": job.urls[0], "gate": sys.argv[1], **options}]):
        threading.Event().wait()


if __name__ == "__main__":
    main()

"""Runs a camera of a clip to its end on any GStreamer, and prints that GStreamer's version.

python -m tests.support.newer_camera redis://… CLIP, in its Python: see ``newer_gstreamer.py``.
"""

from __future__ import annotations

import sys
import time

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from benchmarks.line.cameras import running

LIMIT_S = 60.0


def main() -> None:
    """Run the camera ``newer``."""
    redis, clip = sys.argv[1:]
    spec = {"url": f"file:{clip}", "pace": "every_frame", "stages": [{"model": "test-boxes"}]}
    until_s = time.monotonic() + LIMIT_S
    with running(redis, {"newer": spec}, threads=1) as (camera,):
        while not camera.runner.finished:
            if time.monotonic() > until_s:
                sys.exit(f"not at its end after {LIMIT_S:g} s: {camera.runner.reason}")
            time.sleep(0.05)
    sys.stdout.write(Gst.version_string() + "\n")


if __name__ == "__main__":
    main()

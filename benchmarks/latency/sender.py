"""RTSP cameras that send a clip with numbered frames, in a process of their own.

python -m benchmarks.latency.sender numbered.mp4 4 25 prints the address of each of four cameras,
then a line for each frame as it is handed to the server: camera, number, ns on the machine's
monotonic clock.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline.gst.clips import Clip, Picture, read_clip
from pipeline.gst.rtsp_server import RtspServer, Stream, looped

Tell = Callable[[int, int], None]


def in_step(clip: Clip, fps: int, tell: Tell) -> Iterator[Picture]:
    """Yield a clip's images forever, each at its due time on the machine's monotonic clock.

    Cameras with the same clip send the same image at the same time, and begin at a key frame.

    Args:
        clip: without B-frames.
        fps: frames a second.
        tell: called with each image's index in the clip and the time in ns, before it is yielded.
    """
    count, period_ns = len(clip.pictures), 1_000_000_000 // fps
    begins = itertools.count(time.monotonic_ns() // period_ns + 1)
    first = next(turn for turn in begins if clip.pictures[turn % count].key)
    for turn in itertools.count(first):
        time.sleep(max(0, turn * period_ns - time.monotonic_ns()) / 1e9)
        tell(turn % count, time.monotonic_ns())
        yield clip.pictures[turn % count]


def mount(server: RtspServer, camera: int, clip: Clip, fps: int) -> str:
    """Serve a camera, and return its address."""

    def tell(number: int, at_ns: int) -> None:
        os.write(sys.stdout.fileno(), b"%d %d %d\n" % (camera, number, at_ns))  # in one write

    launch = looped(clip).launch
    server.mount(
        f"camera{camera}",
        Stream(clip.caps, lambda: in_step(clip, fps, tell), launch, live=True),
    )
    return server.url(f"camera{camera}")


def main() -> None:
    """Serve the cameras until terminated."""
    path, cameras, fps = sys.argv[1:]
    server, clip = RtspServer(), read_clip(Path(path))
    urls = [mount(server, camera, clip, int(fps)) for camera in range(int(cameras))]
    server.start()
    sys.stdout.write("\n".join(urls) + "\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main()

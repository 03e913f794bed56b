"""GStreamer processes that send a clip as an encoder would."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

TS = "mpegtsmux alignment=7"


def sending(clip: Path, way: str, codec: str = "h264") -> AbstractContextManager[None]:
    """Send the video of an MP4 file at its own pace, once.

    Args:
        clip: the file.
        way: launch text from the parsed video to a sink.
        codec: of the file.
    """
    return running(f"filesrc location={clip} ! qtdemux ! {codec}parse config-interval=-1 ! {way}")


def await_receiver(port: int) -> None:
    """Wait until something receives UDP at a port: what is sent before is lost, and a clip's only
    key frame may be the first.
    """
    ends = f":{port:04X}"
    until_s = time.monotonic() + 30
    while not any(
        line.split()[1].endswith(ends)
        for table in ("/proc/net/udp", "/proc/net/udp6")
        for line in Path(table).read_text(encoding="ascii").splitlines()[1:]
    ):
        assert time.monotonic() < until_s, f"nothing receives at {port}"
        time.sleep(0.01)


@contextmanager
def running(launch: str) -> Iterator[None]:
    """Run launch text until it is left, by a kill that no receiver is told of."""
    sender = subprocess.Popen(["gst-launch-1.0", "-q", *launch.split()], stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        sender.kill()
        sender.wait()

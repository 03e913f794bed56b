"""The built-in RTSP server as a process of its own, so that sending costs the receiver nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pipeline.worker.redis_server import DIE_WITH_PARENT


@contextmanager
def rtsp_cameras(clips: Mapping[str, Path], cache: Path) -> Iterator[dict[str, str]]:
    """Serves clips as cameras, looped; yields the address of each by name.

    Raises:
        RuntimeError: the server does not start; what it said stands on stderr.
    """
    mounts = [f"{name}={clip}" for name, clip in clips.items()]
    if not mounts:
        yield {}
        return
    module = [
        *DIE_WITH_PARENT,
        sys.executable,
        "-m",
        "pipeline.gst.rtsp_server",
        "--cache",
        str(cache),
    ]
    with subprocess.Popen(
        [*module, *mounts],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for the receiver, which ends this when it is done
    ) as server:
        assert server.stdout is not None
        urls = {}
        try:
            for line in iter(server.stdout.readline, ""):
                if line.startswith("ready"):
                    break
                urls[line.strip().rpartition("/")[2]] = line.strip()
            else:
                raise RuntimeError("the RTSP server of clips did not start")
            yield urls
        finally:
            server.terminate()

"""No process of a bench outlives it, however the bench ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from pipeline.gst.clips import encode_pictures
from tests.support import ROOT

WAIT_S = 60.0
CAMERAS = """
import sys, time
from pathlib import Path
from pipeline.demo.rtsp_process import rtsp_cameras
with rtsp_cameras({"camera": Path(sys.argv[1])}, Path(sys.argv[2])) as urls:
    print("ready", flush=True)
"""
# Programs that start processes as benches do, with the number of these.
PROGRAMS = {
    "cameras": (CAMERAS + "    time.sleep(300)", 1),
    "a variant of the line": (
        CAMERAS
        + """
    from benchmarks.line.job import Job
    from benchmarks.line.line import _measure
    job = Job(sys.argv[1], "", 1, 0, "", urls=tuple(urls.values()), seconds=300.0)
    _measure("received", job, 1)
""",
        2,
    ),
    "cameras in step, and who looks": (
        """
import sys, time
from benchmarks.latency.processes import looking, sending
with sending(sys.argv[1], 2, 10), looking("http.server", "0"):
    print("ready", flush=True)
    time.sleep(300)
""",
        2,
    ),
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "grey.mp4"
    encode_pictures([np.full((96, 128, 3), 90, np.uint8)] * 10, 10, path)
    return path


@pytest.mark.rtsp
@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("cameras", signal.SIGTERM),
        ("a variant of the line", signal.SIGKILL),
        ("cameras in step, and who looks", signal.SIGKILL),
        pytest.param("cameras", signal.SIGKILL, marks=pytest.mark.full),
        pytest.param("a variant of the line", signal.SIGTERM, marks=pytest.mark.full),
        pytest.param("cameras in step, and who looks", signal.SIGTERM, marks=pytest.mark.full),
    ],
)
def test_what_it_started_ends_with_it(
    name: str, how: signal.Signals, clip: Path, tmp_path: Path
) -> None:
    program, count = PROGRAMS[name]
    command = [sys.executable, "-c", program, str(clip), str(tmp_path)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE) as bench:
        try:
            assert bench.stdout is not None
            assert bench.stdout.readline() == b"ready\n"
            started = _started(bench, count)
        finally:
            bench.send_signal(how)
    _, left = psutil.wait_procs(started, WAIT_S)
    for each in left:
        each.kill()
    assert not left


def _started(bench: subprocess.Popen[bytes], count: int) -> list[psutil.Process]:
    """Return the processes of a bench, once they are what they are to be."""
    until_s = time.monotonic() + WAIT_S
    while time.monotonic() < until_s:
        assert bench.poll() is None
        found = psutil.Process(bench.pid).children()
        if len(found) == count and all(each.name().startswith("python") for each in found):
            return found
        time.sleep(0.1)
    raise AssertionError(f"expected {count} processes, got {found}")

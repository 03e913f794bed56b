"""The line as the benchmark runs it: a worker's cameras, without the rest of the worker."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import cv2

from engines.serving import Models
from pipeline.cameras.state import State
from pipeline.config.camera import Camera
from pipeline.gst.camera import CameraRunner
from pipeline.worker.camera import CameraStarter, RunningCamera
from plugins.infer.stage import InferStage
from plugins.outbox.outbox import Outbox

if TYPE_CHECKING:
    from benchmarks.line.job import Job

START_TIMEOUT_S = 30.0
SETTLE_S = 2.0


def prepare_clip_line(job: Job) -> Callable[[], int]:
    """Every frame of the clip on each camera; the call returns the frames published."""
    # Loaded here and kept until the end of the run, so that loading is not measured: sessions are
    # shared only while somebody holds them.
    loaded = [InferStage(job.model, threads=job.threads_each)]

    def run() -> int:
        spec = {"url": f"file:{job.clip}", "pace": "every_frame", **_options(job)}
        with _cameras(job, [spec] * job.cameras) as cameras:
            while not all(camera.runner.finished for camera in cameras):
                time.sleep(0.01)
            loaded.clear()
            return _published(cameras)

    return run


def prepare_live_line(job: Job) -> Callable[[], int]:
    """Live cameras, already running; the call returns the frames published in ``job.seconds``.

    Raises:
        RuntimeError: a camera does not come.
    """
    specs = [{"url": url, **_options(job)} for url in job.urls]
    around = _cameras(job, specs)
    cameras = around.__enter__()
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while not all(camera.runner.state == State.RUNNING for camera in cameras):
        if time.monotonic() > deadline_s:
            raise RuntimeError("; ".join(camera.runner.reason for camera in cameras))
        time.sleep(0.05)
    time.sleep(SETTLE_S)
    before = _published(cameras)

    def run() -> int:
        time.sleep(job.seconds)
        published = _published(cameras) - before
        around.__exit__(None, None, None)
        return published

    return run


def _options(job: Job) -> dict[str, object]:
    return {"width": job.width, "height": job.width, "stages": [{"model": job.model}]}


@contextmanager
def _cameras(job: Job, specs: list[dict[str, object]]) -> Iterator[list[RunningCamera]]:
    cv2.setNumThreads(1)  # as a worker does
    outbox = Outbox(job.redis)
    outbox.start()
    starter = CameraStarter(CameraRunner, outbox, Models(), job.threads_each)
    cameras = [
        starter.start(f"bench{i}", Camera.model_validate(spec)) for i, spec in enumerate(specs)
    ]
    try:
        yield cameras
    finally:
        for camera in cameras:
            camera.runner.stop()
        outbox.close()


def _published(cameras: list[RunningCamera]) -> int:
    return sum(camera.ledger.counts()[0].published for camera in cameras)

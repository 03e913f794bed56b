"""The line as the benchmark runs it: a worker's cameras, without the rest of the worker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import cv2

from engines.serving import Models
from pipeline.config.camera import Camera
from pipeline.gst.camera import CameraRunner
from pipeline.worker.camera import CameraStarter, RunningCamera
from plugins.outbox.outbox import Outbox

if TYPE_CHECKING:
    from benchmarks.line.job import Job

START_TIMEOUT_S = 30.0
SETTLE_S = 2.0
WARM_FRAMES = 10  # of a clip, before it is measured: building the graph is no frame's cost


def prepare_clip_line(job: Job) -> Callable[[], int]:
    """Every frame of the clip on each camera, already running; the call returns the frames
    published until the end.

    Raises:
        RuntimeError: a camera does not come; or, from the call, not every frame was published.
    """
    spec = {"url": f"file:{job.clip}", "pace": "every_frame", **camera_options(job)}
    around, cameras = _running(job, [spec] * job.cameras, WARM_FRAMES)
    before = _published(cameras)

    def run() -> int:
        while not all(camera.runner.finished for camera in cameras):
            time.sleep(0.02)
        around.__exit__(None, None, None)
        if (published := _published(cameras)) != job.cameras * job.frames:
            raise RuntimeError(f"expected {job.cameras * job.frames} frames, got {published}")
        return published - before

    return run


def prepare_live_line(job: Job) -> Callable[[], int]:
    """Live cameras, already running; the call returns the frames published in ``job.seconds``.

    Raises:
        RuntimeError: a camera does not come.
    """
    specs = [{"url": url, **camera_options(job)} for url in job.urls]
    around, cameras = _running(job, specs, 1)
    time.sleep(SETTLE_S)
    before = _published(cameras)

    def run() -> int:
        time.sleep(job.seconds)
        published = _published(cameras) - before
        around.__exit__(None, None, None)
        return published

    return run


def run_cameras(
    job: Job,
    keys: Mapping[str, object],
    stage: dict[str, object],
    of_model: Mapping[str, object] = MappingProxyType({}),
) -> None:
    """Run live cameras until the process is terminated.

    Args:
        job: with their addresses.
        keys: of each camera, besides address, sizes and stages.
        stage: behind the model.
        of_model: keys of the model's stage.
    """
    options = camera_options(job)
    stages = [*({**each, **of_model} for each in options["stages"]), stage]
    specs = [{"url": url, **options, **keys, "stages": stages} for url in job.urls]
    with running_cameras(job, specs):
        threading.Event().wait()


def _running(
    job: Job, specs: list[dict[str, object]], frames: int
) -> tuple[AbstractContextManager[list[RunningCamera]], list[RunningCamera]]:
    """Start cameras and wait until each has published ``frames``; return them and their context."""
    around = running_cameras(job, specs)
    cameras = around.__enter__()
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while any(camera.ledger.counts()[0].published < frames for camera in cameras):
        if time.monotonic() > deadline_s:
            around.__exit__(None, None, None)
            raise RuntimeError("; ".join(camera.runner.reason for camera in cameras))
        time.sleep(0.02)
    return around, cameras


def camera_options(job: Job) -> dict[str, Any]:
    """Return the keys of each camera except its address."""
    return {
        "width": job.width,
        "height": job.width,
        "stages": [{"model": job.model}] if job.model else [],
        "fps": job.fps,
    }


def running_cameras(
    job: Job, specs: list[dict[str, object]]
) -> AbstractContextManager[list[RunningCamera]]:
    """Start cameras ``bench0`` … and yield them; they stop at the end."""
    named = {f"bench{i}": spec for i, spec in enumerate(specs)}
    return running(job.redis, named, job.threads_each)


@contextmanager
def running(
    redis: str, specs: Mapping[str, Mapping[str, object]], threads: int
) -> Iterator[list[RunningCamera]]:
    """Start cameras and yield them; they stop at the end.

    Args:
        redis: address of a Redis for the results.
        specs: the keys of each, by its name.
        threads: of one inference.
    """
    cv2.setNumThreads(1)  # as a worker does
    outbox = Outbox(redis)
    outbox.start()
    starter = CameraStarter(CameraRunner, outbox, Models(), threads)
    cameras = [starter.start(name, Camera.model_validate(spec)) for name, spec in specs.items()]
    try:
        yield cameras
    finally:
        for camera in cameras:
            camera.runner.stop()
        outbox.close()


def _published(cameras: list[RunningCamera]) -> int:
    return sum(camera.ledger.counts()[0].published for camera in cameras)

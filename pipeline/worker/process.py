"""Run a worker with all that is around it: a private Redis, metrics, dashboard, signals."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from engines.runtimes.tensorrt.held import MIB, held
from engines.serving import Models, Served
from pipeline.cameras.sharing import read_apart
from pipeline.config.camera import Camera
from pipeline.config.choosing import settle
from pipeline.config.settings import Settings
from pipeline.control.worker_file import WorkerFile
from pipeline.service import heartbeat
from pipeline.worker.builds import EngineBuilds, threads_of
from pipeline.worker.camera import MakeRunner
from pipeline.worker.dashboard_process import DashboardProcess
from pipeline.worker.heaps import limit_heaps
from pipeline.worker.metrics_server import MetricsServer
from pipeline.worker.redis_server import RedisServer
from pipeline.worker.telemetry import telemetry_of
from pipeline.worker.worker import Worker

log = logging.getLogger(__name__)

SOON_S = 1.0
STOPPING = (signal.SIGINT, signal.SIGTERM)


def run_worker(
    settings: Settings,
    make_runner: MakeRunner,
    *,
    config_path: Path | None = None,
    standby: bool = False,
    stop: threading.Event | None = None,
    on_start: Callable[[Worker, str, str | None], None] | None = None,
    on_tick: Callable[[Worker], None] | None = None,
    on_end: Callable[[], None] | None = None,
) -> int:
    """Runs a worker with all that is around it: a private Redis, metrics, dashboard, signals.

    Args:
        settings: what to run.
        make_runner: makes what runs a camera.
        config_path: where the settings come from, for the log.
        standby: wait while another worker has the name.
        stop: ends the worker when set; SIGINT and SIGTERM set it too.
        on_start: given the worker, its Redis address and that of the dashboard, if there is one,
            before cameras start.
        on_tick: called a few times a second.
        on_end: called when everything is sent, while Redis still runs.

    Returns:
        The exit status: 0 after a stop that was asked for.

    Raises:
        ManifestError, ModelUnavailableError, ValueError: a model is missing or does not fit.
        RedisServerError: a private Redis is needed and does not start.
        LeaseTakenError: a worker of this name runs already.
        OSError: the port of the metrics or of the dashboard is taken.
        DashboardError: the dashboard cannot be served as configured.
        TelemetryError: telemetry is asked for, and what it needs is not installed.
    """
    _limit_memory(settings)
    stop = stop or threading.Event()
    telemetry = telemetry_of(settings)
    models = Models()
    builds = EngineBuilds(settings.engine, models, threads_of(settings))
    cameras = _settled_cameras(settings)
    builds.prepare(use.name for camera in cameras for use in camera.models())
    loaded = load_models(cameras, threads_of(settings), models)
    with ExitStack() as around:
        address = settings.redis.address()
        if address is None:
            address = around.enter_context(RedisServer()).url
            log.info("private Redis at %s", address)
        stop_on_signals(stop, around)
        around.enter_context(WorkerFile(settings.worker, address))
        around.callback(loaded.clear)  # until then cameras share what was loaded
        sample = telemetry.sample if telemetry is not None else None
        worker = Worker(settings, address, make_runner, builds, sample, standby)
        if telemetry is not None:
            around.enter_context(telemetry.running(worker.state))
        if settings.metrics.port is not None:
            metrics = MetricsServer(
                settings.metrics.host, settings.metrics.port, worker.state
            ).start()
            around.callback(metrics.close)
            log.info("metrics at http://%s:%d/metrics", metrics.host, metrics.port)
        page = None
        if settings.dashboard.port is not None:
            dashboard = DashboardProcess(settings.dashboard, address, settings.log, settings.clips)
            around.enter_context(dashboard).wait_ready()
            page = dashboard.url
            log.info("dashboard at %s", page)
        if config_path is not None:
            log.info("%d cameras from %s", len(settings.cameras), config_path)
        for hint in read_apart(settings.cameras):
            log.info("%s", hint)
        if on_start is not None:
            on_start(worker, address, page)
        worker.run(stop, heartbeat(on_tick))
        if on_end is not None:
            on_end()
    return 0


def load_models(cameras: Iterable[Camera], threads: int, models: Models) -> list[Served]:
    """Fetches, verifies and loads every configured model, so that what is wrong is said at once.

    Cameras share what stands behind those returned, as long as these are kept.
    """
    return [
        models.serve(use.name, threads, use.threshold, use.on)
        for camera in cameras
        for use in camera.models()
    ]


def _limit_memory(settings: Settings) -> None:
    limit_heaps()
    most = settings.engine.gpu_memory_mib
    held.allow(None if most is None else most * MIB)


def _settled_cameras(settings: Settings) -> list[Camera]:
    """The cameras with their stages, without those for which none are chosen soon.

    A file on this machine is found at once, and is loaded with all others. The worker waits for the
    network instead, while its other cameras run.
    """
    until_s = time.monotonic() + SOON_S
    settled = (
        settle(camera, settings.models, max(0.0, until_s - time.monotonic()))
        for camera in settings.cameras.values()
    )
    return [camera for camera in settled if camera is not None]


def stop_on_signals(
    stop: threading.Event, around: ExitStack, numbers: Sequence[int] = STOPPING
) -> None:
    """Let signals set ``stop`` until ``around`` ends. A hang-up that is ignored (nohup) stays so.

    Args:
        stop: that they set.
        around: until whose end they do.
        numbers: of the signals.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for number in numbers:
        if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
            continue
        before = signal.signal(number, lambda *_: stop.set())
        around.callback(signal.signal, number, before)

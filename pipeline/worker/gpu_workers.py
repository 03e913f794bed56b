"""``mirante up --gpus``: a worker for each GPU of this machine, kept running by one supervisor."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from pipeline.config.settings import Settings
from pipeline.service import heartbeat
from pipeline.worker.dashboard_process import DashboardProcess
from pipeline.worker.gpus import VISIBLE, Gpu
from pipeline.worker.kept_processes import REFUSED_STATUS, KeptProcess, Plan, end_all
from pipeline.worker.load import space_of
from pipeline.worker.process import stop_on_signals
from pipeline.worker.redis_server import RedisServer
from pipeline.worker.shares import shared_out

log = logging.getLogger(__name__)

TICK_S = 0.25
COMMAND = (sys.executable, "-c", "from pipeline.cli import main; main()", "up")


def run_gpu_workers(
    settings: Settings,
    gpus: Sequence[Gpu],
    config_path: Path,
    standby: bool = False,
    stop: threading.Event | None = None,
) -> int:
    """Run a worker for each GPU until stopped, and what they share: a private Redis, the dashboard.

    Args:
        settings: of the file; each worker gets a share of the cameras.
        gpus: one or more.
        config_path: the file, which each worker reads again.
        standby: each waits while another worker has its name.
        stop: ends all; SIGINT and SIGTERM set it too.

    Returns:
        The exit status: 0 after a stop that was asked for, 2 where a worker refused to start.

    Raises:
        RedisServerError: a private Redis is needed and does not start.
        OSError: the dashboard's port is taken.
        DashboardError: the dashboard cannot be served as configured.
    """
    stop = stop or threading.Event()
    with ExitStack() as around:
        address, own = settings.redis.address(), None
        if address is None:
            address = own = around.enter_context(RedisServer()).url
            log.info("private Redis at %s", address)
        stop_on_signals(stop, around)
        if settings.dashboard.port is not None:
            dashboard = DashboardProcess(settings.dashboard, address, settings.log, settings.clips)
            around.enter_context(dashboard).wait_ready()
            log.info("dashboard at %s", dashboard.url)
        silent_s = int(os.environ.get("WATCHDOG_USEC", "0")) / 1e6 or None
        plans = list(plans_of(settings, gpus, config_path, standby, own))
        kept = [KeptProcess(plan, silent_s) for plan in plans]
        around.callback(end_all, kept)
        return _watch(kept, stop)


def plans_of(
    settings: Settings,
    gpus: Sequence[Gpu],
    config_path: Path,
    standby: bool = False,
    redis_url: str | None = None,
) -> Iterator[Plan]:
    """Yield what runs on each GPU: a worker ``NAME-NUMBER`` with its share of the cameras.

    Each has a port of its own for metrics, the configured one plus the number of its GPU, and
    leaves the page to the supervisor.

    Args:
        settings, gpus, config_path, standby: as of ``run_gpu_workers``.
        redis_url: of the private Redis; None where the file names one.
    """
    shares = shared_out(settings.cameras, len(gpus))
    for gpu, names in zip(gpus, shares, strict=True):
        variables = {
            VISIBLE: gpu.device,
            "MIRANTE_WORKER": worker_of(settings, gpu),
            "MIRANTE_DASHBOARD__PORT": "null",
        }
        if settings.metrics.port:
            variables["MIRANTE_METRICS__PORT"] = str(settings.metrics.port + gpu.number)
        if redis_url is not None:
            variables["MIRANTE_REDIS__URL"] = redis_url
        if settings.fleet.join and settings.fleet.cores is None and len(gpus) > 1:
            variables["MIRANTE_FLEET__CORES"] = f"{space_of(0.0).free / len(gpus):.3f}"
        options = ["--share", ",".join(names), *(["--standby"] if standby else [])]
        log.info(
            "worker %s on GPU %d (%s): %s",
            *(
                variables["MIRANTE_WORKER"],
                gpu.number,
                gpu.device,
                ", ".join(names) or "no cameras",
            ),
        )
        yield Plan(variables["MIRANTE_WORKER"], (*COMMAND, str(config_path), *options), variables)


def worker_of(settings: Settings, gpu: Gpu) -> str:
    """Return the name of the worker of a GPU."""
    return f"{settings.worker}-{gpu.number}"


def _watch(kept: Sequence[KeptProcess], stop: threading.Event) -> int:
    """Wait until stopped; tell the service manager when all are ready, and that this turns."""
    told: Callable[[None], None] = heartbeat()
    are_ready = False
    while not stop.wait(TICK_S):
        for process in kept:
            process.listen()
        if any(process.is_refused for process in kept):
            return REFUSED_STATUS
        if not are_ready and all(process.is_ready for process in kept):
            are_ready = True
            log.info("all %d workers are ready", len(kept))
        if are_ready:
            told(None)
    return 0

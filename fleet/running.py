"""``mirante fleet up``: a fleet by Ray, on this machine or on the cluster that Ray finds."""

from __future__ import annotations

import logging
import signal
import threading
import time
from contextlib import ExitStack, suppress
from typing import Any

import ray
import typer

from fleet import ray_fleet
from fleet.demo import add_demo, remove_demo, say
from fleet.local import LocalFleet
from pipeline.config.dashboard import Dashboard
from pipeline.config.settings import Log
from pipeline.control.registry import connect
from pipeline.control.worker_file import known_address
from pipeline.logs import configure_logs
from pipeline.worker.dashboard_process import DashboardProcess
from pipeline.worker.process import STOPPING, stop_on_signals
from pipeline.worker.redis_server import RedisServer, is_free_port

EACH_NODE = 4  # cameras of the demo
PAGE_PORT = 8600
SAY_S = 5.0


def run_fleet(nodes: int | None, demo: bool, seconds: float | None, redis_url: str | None) -> int:
    """Run a fleet until Ctrl-C, or for ``seconds``; return the exit status.

    Args:
        nodes: that many on this machine; None for those of the cluster that Ray finds, a worker for
            each GPU, or for each node without one.
        demo: add drawn cameras.
        seconds: until it ends; None for none.
        redis_url: address of Redis, which all nodes reach; None is that of the variables for a
            cluster, and starts one for this machine alone.

    Raises:
        ValueError: a cluster is asked for without a Redis that it reaches.
    """
    if nodes is None:
        redis_url = redis_url or known_address()
    if nodes is None and redis_url is None:
        raise ValueError("--redis: expected an address that all nodes reach, or --nodes N")
    configure_logs(Log(level="warning"))
    stop = threading.Event()
    with ExitStack() as around:
        stop_on_signals(stop, around, (*STOPPING, signal.SIGHUP))
        url = redis_url or around.enter_context(RedisServer()).url
        client = around.enter_context(connect(url))
        if nodes is None:
            count = _on_cluster(url, around)
        else:
            around.enter_context(LocalFleet(url, nodes))
            count = nodes
        page = DashboardProcess(
            Dashboard(port=PAGE_PORT if is_free_port(PAGE_PORT) else 0), url, Log()
        )
        around.enter_context(page).wait_ready()
        if demo:
            add_demo(client, EACH_NODE * count)
        typer.echo(f"open {page.url}" + ("" if redis_url else f" — Redis: {url}"))
        until_s = float("inf") if seconds is None else time.monotonic() + seconds
        while not stop.wait(min(SAY_S, max(0.0, until_s - time.monotonic()))):
            with suppress(OSError):  # the terminal is gone
                say(client)
            if time.monotonic() >= until_s:
                break
        if demo:
            remove_demo(client, EACH_NODE * count)
    return 0


def _on_cluster(url: str, around: ExitStack) -> int:
    """Start a worker for each GPU of a cluster, or for each node without one; return how many."""
    ray_fleet.prepare()
    ray.init(address="auto", namespace=ray_fleet.NAMESPACE, logging_level=logging.ERROR)
    around.callback(ray.shutdown)
    workers = list[Any]()
    around.callback(ray_fleet.close, workers)
    keepers = ray_fleet.start_keepers(url)
    around.callback(ray_fleet.close, keepers)  # first: all workers end
    library: Any = ray  # whose functions have no types
    for node in library.nodes():
        if not node["Alive"]:
            continue
        gpus = int(node["Resources"].get("GPU", 0))
        cpus = node["Resources"].get("CPU", 0.0)
        if cpus < 1:
            continue
        for number in range(max(1, gpus)):
            name = f"{node['NodeManagerHostname']}-{number + 1}"
            share = max(1.0, cpus // max(1, gpus) - 1)
            cores = share if gpus > 1 else None  # else each would offer the whole machine
            actor = ray_fleet.start_worker(
                url, name, num_cpus=share, num_gpus=1 if gpus else 0, cores=cores
            )
            workers.append(actor)
    ray_fleet.check([*keepers, *workers])
    return len(workers)

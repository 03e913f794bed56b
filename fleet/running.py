"""``mirante fleet up``: a fleet by Ray, on this machine or on the cluster that Ray finds."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass

import typer

from fleet.cluster import ClusterFleet, Growth
from fleet.demo import add_demo, remove_demo, say
from fleet.local import LocalFleet
from fleet.redis_address import VARIABLE
from mirante.redis_url import RedisUrl
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


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of ``mirante fleet up``.

    Attributes:
        nodes: that many on this machine; None for those of the cluster that Ray finds, a worker for
            each GPU, or for each node without one.
        demo: add drawn cameras.
        stay: leave keepers and workers of a cluster running at the end, for the next one to find.
        page: serve the dashboard.
        seconds: until it ends; None for none.
        redis_url: address of Redis, which all nodes reach; None is that of the variables for a
            cluster, and starts one for this machine alone.

    Raises:
        ValueError: a cluster is asked for without a Redis that it reaches, what is to stay cannot,
            or a password would be kept by Ray.
    """

    nodes: int | None = None
    demo: bool = False
    stay: bool = False
    page: bool = True
    seconds: float | None = None
    redis_url: str | None = None

    def __post_init__(self) -> None:
        if self.nodes is not None and self.stay:
            raise ValueError("--stay: expected without --nodes, whose workers end with the command")
        if self.nodes is None and self.address is None:
            raise ValueError("--redis: expected an address that all nodes reach, or --nodes N")
        if self.redis_url is not None and (url := RedisUrl(self.redis_url)).secret:
            raise ValueError(
                f"--redis: {url} — expected no user and no password, as Ray keeps command lines in "
                f"its own state; set {VARIABLE} instead"
            )

    @property
    def address(self) -> str | None:
        """The address of Redis; None starts one."""
        return self.redis_url or (known_address() if self.nodes is None else None)


def run_fleet(asked: Asked) -> int:
    """Run a fleet until Ctrl-C, or for some seconds; return the exit status."""
    address = asked.address
    configure_logs(Log(level="warning"))
    stop = threading.Event()
    with ExitStack() as around:
        stop_on_signals(stop, around, (*STOPPING, signal.SIGHUP))
        url = address or around.enter_context(RedisServer()).url
        client = around.enter_context(connect(url))
        cluster, growth = None, None
        if asked.nodes is None:
            cluster = around.enter_context(ClusterFleet(url, asked.stay))
            growth = around.enter_context(Growth(cluster))
        else:
            around.enter_context(LocalFleet(url, asked.nodes))
        stop_on_signals(stop, around)  # again: Ray has put its own in their place
        count = asked.nodes or len(cluster.workers if cluster else ())
        page = _served(url, around) if asked.page else ""
        if asked.demo:
            add_demo(client, EACH_NODE * count)
        private = "" if address else f"Redis: {url}"
        if words := " — ".join(filter(None, [page, private])):
            typer.echo(words)
        until_s = float("inf") if asked.seconds is None else time.monotonic() + asked.seconds
        while not stop.wait(min(SAY_S, max(0.0, until_s - time.monotonic()))):
            with suppress(OSError):  # the terminal is gone
                say(client)
            if growth is not None:
                growth.say()
            if time.monotonic() >= until_s:
                break
        if asked.demo:
            remove_demo(client, EACH_NODE * count)
    return 0


def _served(url: str, around: ExitStack) -> str:
    """Serve the dashboard until ``around`` ends; return where it is, in words."""
    port = PAGE_PORT if is_free_port(PAGE_PORT) else 0
    page = around.enter_context(DashboardProcess(Dashboard(port=port), url, Log()))
    page.wait_ready()
    return f"open {page.url}"

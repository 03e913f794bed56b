"""Measure what the dashboard costs with many cameras, a few of them shown, for docs/scaling.md.

    .venv/bin/python docs/scaling_hub.py --cameras 1000 --shown 16

A dashboard's process, a private Redis, and workers that only publish: 20 cameras each, with reports
of the size of real ones.
"""

from __future__ import annotations

import argparse
import time
from contextlib import ExitStack

import httpx
import psutil
import redis

from benchmarks.dashboard.run import child
from engines.console import print_table
from fleet.redis_use import total, used
from fleet.simulation.filling import camera_name, fill, spec_of
from fleet.simulation.servers import servers
from fleet.simulation.site import Crews, name_of, owners, until
from pipeline.config.dashboard import Dashboard
from pipeline.config.settings import Log
from pipeline.control.entries import Desired
from pipeline.control.registry import connect
from pipeline.worker.dashboard_process import DashboardProcess

A_WORKER = 20
QUIET = Log.model_validate({"level": "warning"})


class Meter:
    """Measures the dashboard's process, and Redis.

    Attributes:
        rows: of the table, so far.
    """

    def __init__(self, hub: psutil.Process, client: redis.Redis, seconds: float) -> None:
        self._hub, self._client, self._seconds = hub, client, seconds
        self.rows: list[list[str]] = []

    def over(self, what: str) -> None:
        """Measure for a while, after one in which all comes to rest."""
        time.sleep(5)
        before, busy_s, began_s = used(self._client), self._busy_s(), time.monotonic()
        time.sleep(self._seconds)
        cpu = (self._busy_s() - busy_s) / (time.monotonic() - began_s)
        use = total([a.since(b) for a, b in zip(used(self._client), before, strict=True)])
        self.rows.append(
            [
                what,
                f"{100 * cpu:.0f}",
                f"{self._hub.memory_info().rss / 2**20:.0f}",
                f"{100 * use.cpu_s / use.at_s:.0f}",
                f"{use.written_bytes / use.at_s / 1e6:.1f}",
                f"{use.commands / use.at_s:,.0f}",
            ]
        )

    def _busy_s(self) -> float:
        return float(sum(self._hub.cpu_times()[:2]))


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cameras", type=int, default=1000)
    parser.add_argument("--shown", type=int, default=16)
    parser.add_argument("--fps", type=float, default=1.0)
    parser.add_argument("--seconds", type=float, default=15.0)
    asked = parser.parse_args()
    names = [camera_name(number) for number in range(asked.cameras)]
    with ExitStack() as stack:
        url = stack.enter_context(servers("one"))
        client = stack.enter_context(connect(url))
        publishing(stack, url, client, names, asked.fps)
        page = Dashboard.model_validate({"port": 0})
        dashboard = stack.enter_context(DashboardProcess(page, url, QUIET))
        dashboard.wait_ready()
        (hub,) = (p for p in psutil.Process().children() if p.cmdline()[-1] == "dashboard")
        meter = Meter(hub, client, asked.seconds)
        meter.over("nobody")
        address = dashboard.url.replace("http", "ws", 1) + "/api/v1/live"
        with child("benchmarks.dashboard.pages", address, "1", "0", *names[: asked.shown]) as run:
            assert run.stdout is not None
            run.stdout.readline()
            meter.over(f"1 page, {asked.shown} shown")
            run.communicate()
        began_s = time.monotonic()
        answer = httpx.get(f"{dashboard.url}/api/v1/system", timeout=120).raise_for_status()
        seconds = time.monotonic() - began_s
    headings = ("pages", "hub CPU %", "hub RSS MiB", "Redis CPU %", "Redis MB/s out", "commands/s")
    print_table(headings, meter.rows)
    print(f"GET /api/v1/system: {seconds:.2f} s, {len(answer.content) / 1e6:.1f} MB")  # noqa: T201


def publishing(
    stack: ExitStack, url: str, client: redis.Redis, names: list[str], fps: float
) -> None:
    """Run workers that publish these cameras, until the stack ends."""
    workers = max(1, len(names) // A_WORKER)
    entries = [
        Desired(name, spec_of(n), "api", name_of(n % workers), added=time.time())
        for n, name in enumerate(names)
    ]
    fill(client, entries)
    stack.enter_context(Crews(url, workers, 2, fps, workers))
    if until(lambda: dict.fromkeys(set(names) - owners(client, names).keys()), 300, 1.0) is None:
        raise SystemExit("not every camera publishes")


if __name__ == "__main__":
    main()

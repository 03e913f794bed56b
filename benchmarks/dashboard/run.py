"""Cameras, a hub and pages, each in a process of its own on one machine, and what they cost."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psutil
import typer

from benchmarks.dashboard.figures import Figures, Meter, percentiles
from benchmarks.dashboard.plan import Plan
from benchmarks.machine import describe_machine
from engines.console import print_table
from pipeline.config.dashboard import Dashboard
from pipeline.config.settings import Log
from pipeline.control.registry import connect
from pipeline.worker.dashboard_process import DashboardProcess
from pipeline.worker.redis_server import RedisServer

SETTLE_S = 4.0
MIB = 1 << 20
# In the page, after each frame that was drawn: the time since it was published, by the same clock.
WATCH = """async () => {
  const { live } = await import("/static/lib/live.js");
  window.late = [];
  live.late = ({ message }) => window.late.push(Date.now() - message.ts * 1000);
}"""
DRAWN = "() => document.querySelectorAll('canvas[data-seq]').length"
FULL_HD = {"width": 1920, "height": 1080}


class Bench:
    """The processes that run during a measurement; a context manager.

    Attributes:
        meter: reads it.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._around = ExitStack()
        self.names = [f"camera-{n:02}" for n in range(1, plan.cameras + 1)]

    def __enter__(self) -> Bench:
        enter = self._around.enter_context
        server = enter(RedisServer(port=0))
        publish = (server.url, str(self._plan.cameras), str(self._plan.fps))
        cameras = enter(child("benchmarks.line.published", *publish))
        assert cameras.stdout is not None
        cameras.stdout.readline()
        quiet = Log.model_validate({"level": "warning"})
        dashboard = enter(
            DashboardProcess(Dashboard.model_validate({"port": 0}), server.url, quiet)
        )
        dashboard.wait_ready()
        self.url = dashboard.url
        (hub,) = (p for p in psutil.Process().children() if p.cmdline()[-1] == "dashboard")
        processes = (hub, psutil.Process(server.pid), psutil.Process(cameras.pid))
        self.meter = Meter(self.url, enter(connect(server.url)), processes, self.names)
        return self

    def __exit__(self, *_: object) -> None:
        self._around.close()

    def measured(self) -> Figures:
        """After a while in which all comes to rest."""
        time.sleep(SETTLE_S)
        return self.meter.over(self._plan.seconds)

    @contextmanager
    def pages(self, count: int, stalled: int = 0) -> Iterator[list[dict[str, Any]]]:
        """Opens pages until all draw; what they counted is in the list when they are closed."""
        address = self.url.replace("http", "ws", 1) + "/api/v1/live"
        counted: list[dict[str, Any]] = []
        with child(
            "benchmarks.dashboard.pages", address, str(count), str(stalled), *self.names
        ) as run:
            assert run.stdout is not None
            run.stdout.readline()
            yield counted
            said, _ = run.communicate()
        counted += [json.loads(line) for line in said.splitlines()]


def run_bench(plan: Plan) -> None:
    """Measures, and prints the tables."""
    typer.echo(describe_machine())
    typer.echo(f"\n{plan.cameras} cameras, {plan.fps:g} frames/s, 640x360 JPEG and a mask each")
    rows, late = [], []
    with Bench(plan) as bench:
        rows.append(("nobody", bench.measured()))
        if (shown := in_chromium(bench)) is not None:
            figures, ms = shown
            rows.append(("1, chromium", figures))
            late.append(("Redis → canvas, 1 page in chromium", *percentiles(ms), len(ms)))
        for count in sorted({1, plan.pages}):
            with bench.pages(count) as counted:
                figures = bench.measured()
            rows.append((str(count), figures))
            p50, p95 = (max(page["ms"][i] for page in counted) for i in (0, 1))
            frames = sum(page["frames"] for page in counted)
            late.append((f"Redis → page, the slowest of {count}", p50, p95, frames))
        with bench.pages(plan.pages, stalled=1) as counted:
            stalled = bench.measured()
        rows.append((f"{plan.pages}, and 1 stalled", stalled))
        rows.append(("nobody again", bench.measured()))
    _print(rows, late)
    reading = [page for page in counted if not page["stalled"]]
    skipped, frames = (sum(page[what] for page in reading) for what in ("skipped", "frames"))
    typer.echo(
        f"\nbeside the page that stalls, the {len(reading)} others were sent {frames} images and "
        f"skipped {skipped}"
    )


def in_chromium(bench: Bench) -> tuple[Figures, list[float]] | None:
    """With one page on a screen that is drawn in memory: figures, and ms from Redis to canvas."""
    program = shutil.which("chromium")
    if program is None:
        typer.echo("without chromium, which is not installed: apt-get install chromium")
        return None
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        typer.echo("without chromium, as playwright is not installed: pip install playwright")
        return None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport=FULL_HD)  # type: ignore[arg-type]
        page.goto(bench.url, wait_until="domcontentloaded")
        while page.evaluate(DRAWN) < len(bench.names):
            page.wait_for_timeout(200)
        time.sleep(SETTLE_S)
        page.evaluate(WATCH)
        figures = bench.measured()
        late: list[float] = page.evaluate("window.late")
        browser.close()
    return figures, late


@contextmanager
def child(module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A module of ours as a process that ends when its standard input does."""
    with subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            if process.stdin is not None and not process.stdin.closed:
                process.stdin.close()
            process.wait(60)  # beside other programs it may not even have begun


def _print(rows: list[tuple[str, Figures]], late: list[tuple[str, float, float, int]]) -> None:
    headings = (
        "pages", "hub CPU %", "hub RSS MiB", "images/s per page", "kB/s a page", "skipped/s",
        "JPEGs/s published", "listeners", "Redis CPU %", "cameras CPU %",
    )  # fmt: skip
    print_table(headings, [(name, *_cells(figures)) for name, figures in rows])
    typer.echo("")
    headings_late = ("ms", "p50", "p95", "frames")
    print_table(headings_late, [(n, f"{a:.1f}", f"{b:.1f}", str(c)) for n, a, b, c in late])


def _cells(figures: Figures) -> tuple[str, ...]:
    pages = max(1, figures.pages)
    return (
        f"{figures.hub:.1f}",
        f"{figures.rss / MIB:.0f}",
        f"{figures.sent / pages:.0f}",
        f"{figures.bytes / pages / 1e3:.0f}",
        f"{figures.skipped:.1f}",
        f"{figures.published:.0f}",
        str(figures.listeners),
        f"{figures.redis:.1f}",
        f"{figures.cameras:.1f}",
    )

"""What a page stands on: Redis, a worker or cameras that only publish, and a dashboard."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml
from redis import Redis

from benchmarks.line.published import PublishedCameras
from mirante.keys import key
from pipeline.config.dashboard import Dashboard
from pipeline.config.settings import Log
from pipeline.worker.dashboard_process import DashboardProcess
from pipeline.worker.redis_server import RedisServer
from tests.support import MEASURES, ROOT
from tests.support.ports import free_port

DRAWN_SIZE = (640, 360)
DRAWN = {
    "url": "test://?size={}x{}&fps=5".format(*DRAWN_SIZE),
    "stages": [{"model": "test-boxes"}, {"model": "test-lane"}],
}
# What cameras run that do not say otherwise is cheap, and exact.
BOXES = {"stages": [{"model": "test-boxes"}]}
QUIET = Log.model_validate({"level": "warning"})


def until(condition: Callable[[], Any], timeout_s: float = 60.0, what: str = "") -> Any:
    """Waits for something to come true, and gives it."""
    end_s = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < end_s, f"waited in vain {what}"
        time.sleep(0.05)
    return value


def ask(method: str, url: str, **more: Any) -> httpx.Response:
    """Ask a dashboard, which may be slow while a page is drawn; certificates are not read."""
    return httpx.request(method, url, timeout=60, verify=False, **more)


@dataclass
class Site:
    """A dashboard that is served.

    Attributes:
        url: of the page.
        redis: its server, which starts again by itself when it was killed.
        parent: the process whose child the dashboard is.
    """

    url: str
    redis: RedisServer
    parent: psutil.Process
    cameras: list[str] = field(default_factory=list)

    def client(self) -> Redis:
        return Redis.from_url(self.redis.url, protocol=2)

    def listeners(self, *cameras: str) -> dict[str, int]:
        """How many listen to each camera's images; as the worker sees it."""
        names = cameras or tuple(self.cameras)
        with self.client() as client:
            told = client.pubsub_numsub(*(key(name, "preview") for name in names))
        return {name: int(count) for name, (_, count) in zip(names, told, strict=True)}

    def kill_redis(self) -> None:
        """Ends it without warning; returns when another process is in its place."""
        pid = until(lambda: self.redis.pid)
        os.kill(pid, signal.SIGKILL)
        until(lambda: self.redis.pid not in {None, pid})

    def freeze_redis(self, frozen: bool) -> None:
        """It keeps its connections and answers nothing, until it is let continue."""
        os.kill(until(lambda: self.redis.pid), signal.SIGSTOP if frozen else signal.SIGCONT)

    def kill_dashboard(self) -> None:
        """Ends the server without warning; returns when another answers."""
        (child,) = self._dashboards()
        child.kill()
        until(lambda: [one for one in self._dashboards() if one.pid != child.pid])
        until(self.is_ready)

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", verify=False).status_code == 200
        except httpx.HTTPError:
            return False

    def _dashboards(self) -> list[psutil.Process]:
        found = []
        for one in self.parent.children():
            try:
                if one.cmdline()[-2:] == ["-m", "dashboard"]:
                    found.append(one)
            except psutil.Error:  # it has just ended
                continue
        return found


@contextmanager
def real_site(folder: Path, **settings: Any) -> Iterator[Site]:
    """``mirante up`` as a process, its Redis, and the dashboard that it starts."""
    with RedisServer(port=0) as server:
        port = free_port()
        document = {
            "redis": {"url": server.url},
            "metrics": {"port": None},
            "dashboard": {"port": port, "local_targets": True},
            "cameras": {"drawn": DRAWN},
        }
        config = folder / "config.yaml"
        config.write_text(yaml.safe_dump(document | settings))
        log = folder / "log"
        with log.open("w") as out:
            process = subprocess.Popen(
                [sys.executable, "-c", "from pipeline.cli import main; main()", "up", config],
                cwd=ROOT,
                env=environment(folder),
                stdout=out,
                stderr=out,
            )
        site = Site(f"http://127.0.0.1:{port}", server, psutil.Process(process.pid), ["drawn"])
        try:
            until(lambda: site.is_ready() or process.poll() is not None, 90, "for the dashboard")
            assert process.poll() is None, log.read_text()
            yield site
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            assert "Traceback" not in log.read_text(), log.read_text()


@contextmanager
def added(site: Site, cameras: Mapping[str, Mapping[str, Any]]) -> Iterator[None]:
    """Further cameras of a site, by name; they are removed in the end."""
    api = f"{site.url}/api/v1/cameras"
    try:
        for name, keys in cameras.items():
            answer = ask("POST", api, json={"name": name, **keys})
            assert answer.status_code == 201, answer.text
        yield
    finally:
        for name in cameras:
            ask("DELETE", f"{api}/{name}")


def environment(folder: Path) -> dict[str, str]:
    """A user's without variables of ours."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MIRANTE_")}
    return clean | {
        "MIRANTE_HOME": str(folder / "home"),
        "XDG_RUNTIME_DIR": str(folder),
        MEASURES: "null",
        "NO_COLOR": "1",
    }


@contextmanager
def simulated_site(folder: Path) -> Iterator[Callable[..., Site]]:
    """Starts dashboards over cameras that publish in this process; all end with it."""
    with ExitStack() as running:
        running.enter_context(pytest.MonkeyPatch.context()).setenv("MIRANTE_HOME", str(folder))

        def start(cameras: int, fps: float = 4, **settings: Any) -> Site:
            server = running.enter_context(RedisServer(port=0))
            published = running.enter_context(PublishedCameras(server.url, cameras, fps))
            page = Dashboard.model_validate({"port": 0} | settings)
            process = running.enter_context(DashboardProcess(page, server.url, QUIET))
            process.wait_ready()
            return Site(process.url, server, psutil.Process(), published.names)

        yield start

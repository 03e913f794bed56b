"""A whole site of its own: RTSP cameras, Redis, a worker, a dashboard with pages, a subscriber."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import msgspec
import psutil
import redis

import mirante
from benchmarks.dashboard.run import child
from benchmarks.soak.figures import Sample, levels_of
from benchmarks.soak.plan import Plan
from mirante.frame import Counts
from pipeline.cameras.synthetic import picture
from pipeline.config.dashboard import Dashboard
from pipeline.config.settings import Log
from pipeline.control.changing import RegistryError
from pipeline.control.registry import Registry, connect
from pipeline.control.reports import WorkerReport, reports
from pipeline.gst.clips import encode_pictures
from pipeline.worker.dashboard_process import DashboardProcess
from pipeline.worker.redis_server import DIE_WITH_PARENT, RedisServer

SIZE, FPS = (320, 180), 5
START_S = 60.0  # until the cameras run
PAGES = 3
_WORKER = "from pipeline.cli import main; main()"


class Site:
    """Runs from ``__enter__`` to ``__exit__``.

    Args:
        plan: how many cameras of what.
        folder: for clip, configuration, log and state; empty.
    """

    def __init__(self, plan: Plan, folder: Path) -> None:
        self._plan, self._folder = plan, folder
        self._around = ExitStack()
        self._pages: ExitStack | None = None
        self._added = 0
        self._counts = dict.fromkeys(("decoded", "published", "lost behind the ring"), 0.0)

    def __enter__(self) -> Site:
        with ExitStack() as starting:
            enter = starting.enter_context
            clip = self._folder / "clip.mp4"
            encode_pictures((picture(n, *SIZE) for n in range(10 * FPS)), FPS, clip)
            names = [f"camera-{n:02}" for n in range(1, self._plan.cameras + 1)]
            self._rtsp = RtspChild(names, clip)
            starting.callback(self._rtsp.kill)
            self._redis = enter(RedisServer(port=0))
            self._client = enter(connect(self._redis.url))
            self._registry = Registry(self._client)
            self._reader = Reader(self._redis.url)
            starting.callback(self._reader.close)
            quiet = Log.model_validate({"level": "error"})
            no_port = Dashboard.model_validate({"port": 0})
            self._dashboard = enter(DashboardProcess(no_port, self._redis.url, quiet))
            self._dashboard.wait_ready()
            (hub,) = (p for p in psutil.Process().children() if p.cmdline()[-1] == "dashboard")
            self._worker = self._start_worker(names)
            starting.callback(self._stop_worker)
            self._measured = {"worker": psutil.Process(self._worker.pid), "dashboard": hub}
            self._names = names
            self._await_cameras()
            self._around = starting.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.close_pages()
        self._around.close()

    def sample(self) -> Sample:
        """Return the figures now.

        Raises:
            RuntimeError: the worker has ended; with the end of its log.
        """
        if self._worker.poll() is not None:
            words = (self._folder / "worker.log").read_text()[-2000:]
            raise RuntimeError(f"the worker ended with status {self._worker.returncode}: {words}")
        levels: dict[str, float] = {}
        for name, process in self._measured.items():
            levels |= levels_of(name, process)
        if (report := self._report()) is not None:
            counts = [c.counts or Counts() for n, c in report.cameras.items() if n in self._names]
            self._counts = {
                "decoded": sum(each.decoded for each in counts),
                "published": sum(each.published for each in counts),
                "lost behind the ring": sum(report.outbox.lost.values()),
            }
        read = {"read by a subscriber": self._reader.frames, "lost to it": self._reader.lost}
        return Sample(time.monotonic(), levels, {**self._counts, **read})

    def restart_rtsp(self) -> None:
        """Kill the RTSP server, and start it again under the same port."""
        self._rtsp.kill()
        self._rtsp.start()

    def kill_redis(self) -> None:
        """Kill Redis, which comes again without what it held."""
        if (pid := self._redis.pid) is not None:
            os.kill(pid, signal.SIGKILL)

    def open_pages(self) -> None:
        """Open pages that show every camera."""
        self._pages = ExitStack()
        address = self._dashboard.url.replace("http", "ws", 1) + "/api/v1/live"
        pages = ("benchmarks.dashboard.pages", address, str(PAGES), "0", *self._names)
        self._pages.enter_context(child(*pages))

    def close_pages(self) -> None:
        """Close them, if they are open."""
        if self._pages is not None:
            self._pages.close()
            self._pages = None

    def add_camera(self) -> None:
        """Add a camera under a name that there was not before."""
        self._added += 1
        spec = {"url": "test://?size=320x180&fps=5", "stages": [{"model": self._plan.model}]}
        with suppress(redis.RedisError):
            self._registry.put(f"extra-{self._added}", spec)

    def remove_cameras(self) -> None:
        """Remove those that were added."""
        with suppress(redis.RedisError, RegistryError):
            for name in [n for n in self._registry.cameras() if n.startswith("extra-")]:
                self._registry.remove(name)

    def _start_worker(self, names: list[str]) -> subprocess.Popen[bytes]:
        cameras = {name: {"url": self._rtsp.url(name)} for name in names}
        off = {"port": None}
        config = {
            "redis": {"url": self._redis.url},
            "metrics": off,
            "engine": {"runtime": None},
            "dashboard": off,
            "defaults": {"fps": FPS, "stages": [{"model": self._plan.model}]},
            "cameras": cameras,
        }
        path = self._folder / "config.yaml"
        path.write_bytes(msgspec.json.encode(config))  # which is YAML
        home = {"MIRANTE_HOME": str(self._folder), "XDG_RUNTIME_DIR": str(self._folder)}
        with (self._folder / "worker.log").open("wb") as log:
            return subprocess.Popen(
                [*DIE_WITH_PARENT, sys.executable, "-c", _WORKER, "up", str(path)],
                stdout=log,
                stderr=log,
                env={**os.environ, **home},
                start_new_session=True,  # Ctrl-C is for the bench, which ends it
            )

    def _stop_worker(self) -> None:
        self._worker.terminate()
        self._worker.wait(30)

    def _report(self) -> WorkerReport | None:
        try:
            return reports(self._client).get("main")
        except redis.RedisError:
            return None  # it was just killed

    def _await_cameras(self) -> None:
        deadline_s = time.monotonic() + START_S
        while (
            (report := self._report()) is None
            or len(report.cameras) < len(self._names)
            or any(camera.state != "running" for camera in report.cameras.values())
        ):
            self.sample()
            if time.monotonic() > deadline_s:
                states = {} if report is None else report.cameras
                words = {name: camera.reason for name, camera in states.items()}
                raise RuntimeError(f"not all cameras run within {START_S:g} s: {words}")
            time.sleep(0.2)


class RtspChild:
    """The built-in RTSP server as a process, started from construction on; its port stays."""

    def __init__(self, names: list[str], clip: Path) -> None:
        self._mounts = [f"{name}={clip}" for name in names]
        self._cache = str(clip.parent)
        self._port = "0"
        self._process = self._spawn()
        assert self._process.stdout is not None
        for line in iter(self._process.stdout.readline, ""):
            if line.startswith("ready"):
                self._port = line.split()[-1]
                return
        raise RuntimeError("the RTSP server of the cameras did not start")

    def url(self, name: str) -> str:
        """Return the address of a camera."""
        return f"rtsp://127.0.0.1:{self._port}/{name}"

    def start(self) -> None:
        """Start it again; it is ready some time later."""
        self._process = self._spawn()

    def kill(self) -> None:
        """End it as a camera that loses its power ends."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _spawn(self) -> subprocess.Popen[str]:
        module = [sys.executable, "-m", "pipeline.gst.rtsp_server", "--cache", self._cache]
        return subprocess.Popen(
            [*DIE_WITH_PARENT, *module, "--port", self._port, *self._mounts],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )


class Reader:
    """Reads every camera as a consumer would, on a thread of its own, until closed.

    Attributes:
        frames: that came.
    """

    def __init__(self, url: str) -> None:
        self.frames = 0
        self._subscription: Any = mirante.subscribe("*", redis=url)
        self._thread = threading.Thread(target=self._read, name="reader", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> int:
        """Frames that were published and never came, as the messages prove."""
        return sum(self._subscription.lost.values())

    def close(self) -> None:
        """Reads no more."""
        self._subscription.close()
        self._thread.join(5)

    def _read(self) -> None:
        for _ in self._subscription:
            self.frames += 1

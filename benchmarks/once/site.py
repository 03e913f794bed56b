"""A site of one camera: an RTSP server, Redis, a worker or two, and a consumer of its events."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import redis

from benchmarks.once.crowd import Crowd
from benchmarks.once.plan import Plan
from benchmarks.once.reader import Reader
from benchmarks.once.servers import Single, Watched
from benchmarks.soak.site import RtspChild
from mirante.redis_url import RedisUrl
from pipeline.cameras.synthetic import picture
from pipeline.control.registry import Registry, connect
from pipeline.control.reports import reports
from pipeline.gst.clips import encode_pictures
from pipeline.worker.redis_server import DIE_WITH_PARENT

CAMERA = "gate"
MODEL, OTHER_MODEL = "test-boxes", "test-pose"
START_S = 90.0
LOST_S = 10.0  # for which an object that is not seen is looked for, as after a restart
_CLIP_S = 10
_WORKER = "from pipeline.cli import main; main()"


class Site:
    """The site that a fault strikes.

    Args:
        plan: what runs.
        folder: for clip, configuration, logs and state; empty.
        fault: for which it is made.

    Attributes:
        down_s: seconds for which Redis is away in an outage.
        servers: those of Redis.
        rtsp: the camera.
        reader: what comes of it.
    """

    servers: Single | Watched
    rtsp: RtspChild
    reader: Reader

    def __init__(self, plan: Plan, folder: Path, fault: str) -> None:
        self.down_s = plan.down
        self._plan, self._folder = plan, folder
        self._crowd = Crowd(plan.crossings, plan.rate, plan.seen)
        self._has_standby = fault == "takeover"
        self.servers = Watched(folder) if fault == "failover" else Single(folder)
        self._workers: list[subprocess.Popen[bytes]] = []
        self._swapped = False

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run everything, from when the camera gives frames."""
        clip = self._folder / "clip.mp4"
        size, fps = (self._crowd.width, self._crowd.height), self._plan.fps
        encode_pictures((picture(n, *size) for n in range(_CLIP_S * fps)), fps, clip)
        self.rtsp = RtspChild([CAMERA], clip)
        self.servers.start()
        self.reader = Reader(self.servers.url, CAMERA)
        self._configure()
        try:
            self.start_worker()
            self._await_camera()
            if self._has_standby:
                self.start_worker()
            yield
        finally:
            for worker in self._workers:
                worker.kill()
                worker.wait()
            self.reader.close()
            self.servers.stop()
            self.rtsp.kill()

    def begin(self) -> float:
        """Let the crowd come; return the Unix second at which the first is on the line."""
        begun_s = time.time() + self._plan.seen + 0.5
        part = self._folder / "begun.part"
        part.write_text(repr(begun_s))
        part.rename(self._begun)
        return begun_s

    def start_worker(self) -> None:
        """Start a worker; one beside another stands by."""
        stands_by = ("--standby",) if self._has_standby else ()
        home = {"MIRANTE_HOME": str(self._folder), "XDG_RUNTIME_DIR": str(self._folder)}
        with (self._folder / "worker.log").open("ab") as log:
            command = (sys.executable, "-c", _WORKER, "up", *stands_by, str(self._config))
            self._workers.append(
                subprocess.Popen(
                    [*DIE_WITH_PARENT, *command],
                    stdout=log,
                    stderr=log,
                    env={**os.environ, **home},
                    start_new_session=True,
                )
            )

    def end_worker(self, kill: bool) -> None:
        """End the worker that runs, by SIGKILL or in order."""
        worker = self._workers.pop(0)
        worker.kill() if kill else worker.terminate()
        worker.wait(30)

    def swap_model(self) -> None:
        """Let another model run, or again the first."""
        from pipeline.control.swaps import ask_swap

        self._swapped = not self._swapped
        with self._client() as client:
            ask_swap(client, "main", MODEL, OTHER_MODEL if self._swapped else None)

    def pause(self, paused: bool) -> None:
        """Pause the camera, or let it run again."""
        with connect(self.servers.url) as client:
            registry = Registry(client)
            registry.pause(CAMERA) if paused else registry.resume(CAMERA)

    def check(self) -> None:
        """See that the worker runs.

        Raises:
            RuntimeError: it has ended; with the end of its log.
        """
        for worker in self._workers:
            if worker.poll() is not None:
                raise RuntimeError(f"the worker ended ({worker.returncode}): {self.log()}")

    def log(self) -> str:
        """Return the end of the workers' log."""
        return (self._folder / "worker.log").read_text()[-3000:]

    @property
    def _begun(self) -> Path:
        return self._folder / "begun"

    @property
    def _config(self) -> Path:
        return self._folder / "config.yaml"

    def _client(self) -> redis.Redis:
        return RedisUrl(self.servers.url).client()

    def _configure(self) -> None:
        crowd, has_tracker = self._crowd, self._plan.tracker != "none"
        options = {
            "begun": str(self._begun),
            "crossings": crowd.crossings,
            "rate": crowd.rate,
            "seen_s": crowd.seen_s,
            "are_known": not has_tracker,
        }
        line = {"from": [0.5, 1], "to": [0.5, 0]}  # in is to the right
        stages: list[dict[str, Any]] = [
            {"model": MODEL},
            {"python": "benchmarks.once.walkers:Walkers", "options": options},
            *([{"track": self._plan.tracker, "lost_s": LOST_S}] if has_tracker else []),
            {"zones": {}, "lines": {"door": line}},
        ]
        off = {"port": None}
        config = {
            "redis": {"url": self.servers.url},
            "metrics": off,
            "engine": {"runtime": None},
            "dashboard": off,
            "log": {"level": "warning"},
            "cameras": {CAMERA: {"url": self.rtsp.url(CAMERA), "stages": stages}},
        }
        self._config.write_bytes(msgspec.json.encode(config))  # which is YAML

    def _await_camera(self) -> None:
        until_s = time.monotonic() + START_S
        while not self._runs():
            self.check()
            if time.monotonic() > until_s:
                raise RuntimeError(f"the camera does not run within {START_S:g} s: {self.log()}")
            time.sleep(0.2)

    def _runs(self) -> bool:
        with suppress(redis.RedisError), self._client() as client:
            report = reports(client).get("main")
            camera = None if report is None else report.cameras.get(CAMERA)
            return camera is not None and camera.counts is not None and camera.counts.published > 0
        return False

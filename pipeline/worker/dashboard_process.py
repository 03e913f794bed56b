"""The dashboard beside a worker: a process of its own, which can take nothing down with it."""

from __future__ import annotations

import importlib.util
import json
import logging
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, Self

from pydantic import SecretStr

from mirante.backoff import Backoff
from pipeline.config.clips import ClipsKept
from pipeline.config.dashboard import Dashboard
from pipeline.config.settings import Log
from pipeline.listening import bind, shown_url
from pipeline.worker.redis_server import DIE_WITH_PARENT, RESTART_PAUSE_S, STOP_TIMEOUT_S

log = logging.getLogger(__name__)

READY_TIMEOUT_S = 60.0  # on a machine that is overloaded; on others it takes 2 s
MODULE = "dashboard"  # by name: it stands above this room and is not imported
EXTRA = "pip install 'mirante[dashboard]'"
_LIBRARIES = ("fastapi", "limits", "uvicorn")  # of that extra; the others come with it


class DashboardError(RuntimeError):
    """It cannot be served as the configuration says; in words."""


def is_installed() -> bool:
    """Return whether what the dashboard needs besides is here."""
    return all(importlib.util.find_spec(name) is not None for name in _LIBRARIES)


class DashboardProcess:
    """Serves the dashboard from construction to ``close``; a context manager.

    The socket is bound here and inherited: a child that ends is started again on it, and pages find
    it under the same address.

    Args:
        settings: what to serve; its port is not None.
        redis_url: the worker's Redis, with its secrets.
        logging_as: what the child logs, and how.
        clips: where the worker keeps clips; None as by default.

    Raises:
        OSError: the address cannot be listened on.
    """

    def __init__(
        self,
        settings: Dashboard,
        redis_url: str,
        logging_as: Log,
        clips: ClipsKept | None = None,
    ) -> None:
        self._listening = bind(settings)
        self._told = json.dumps(
            {
                "redis": redis_url,
                "dashboard": settings.model_dump(),
                "log": logging_as.model_dump(),
                "clips": (clips or ClipsKept()).model_dump(),
                "socket": self._listening.fileno(),
            },
            default=_written,
        )
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._settled = threading.Event()  # the first start has succeeded or failed
        self._failure = ""
        # The kernel ends a child with the *thread* that started it, so one thread starts them all.
        self._thread = threading.Thread(target=self._keep, name="dashboard", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The URL at which a browser finds it."""
        return shown_url(self._listening)

    def wait_ready(self) -> None:
        """Waits until it answers.

        Raises:
            DashboardError: it does not; with its own words.
        """
        if not self._settled.wait(READY_TIMEOUT_S):
            self._failure = f"dashboard: not ready within {READY_TIMEOUT_S:g} s"
        if self._failure:
            self.close()
            raise DashboardError(self._failure)

    def close(self) -> None:
        """Ends it and frees the port."""
        self._stopping.set()
        with self._lock:
            process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
        self._thread.join()
        self._listening.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _keep(self) -> None:
        """Starts the child, waits for its end, starts it again, until ``close``."""
        backoff = Backoff(*RESTART_PAUSE_S)
        if not is_installed():
            self._failure = f"dashboard: not installed: {EXTRA}, or dashboard.port: null"
        while not self._failure and (process := self._spawn()) is not None:
            words: list[str] = []
            reader = threading.Thread(target=_relay, args=(process.stderr, words))
            reader.start()
            assert process.stdout is not None
            for line in process.stdout:
                if line.strip() == "ready":
                    backoff.reset()
                    self._settled.set()
            status = process.wait()
            reader.join()
            process.stdout.close()
            if self._stopping.is_set():
                break
            if not self._settled.is_set():
                last = words[-1] if words else f"it ended with status {status} and said nothing"
                self._failure = last if last.startswith("dashboard") else f"dashboard: {last}"
                break
            log.error("the dashboard ended with status %s; starting it again", status)
            self._stopping.wait(backoff.next_s())
        self._settled.set()

    def _spawn(self) -> subprocess.Popen[str] | None:
        with self._lock:
            if self._stopping.is_set():
                return None
            self._process = subprocess.Popen(
                [*DIE_WITH_PARENT, sys.executable, "-m", MODULE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                pass_fds=[self._listening.fileno()],
                start_new_session=True,  # Ctrl-C is for the worker, which ends this when it is done
            )
            assert self._process.stdin is not None
            with self._process.stdin as pipe:
                pipe.write(self._told)
            return self._process


def _relay(stream: IO[str] | None, words: list[str]) -> None:
    """Relay the child's output to the worker's log; keep the last lines."""
    assert stream is not None
    with stream:
        for line in stream:
            words[:] = [*words[-4:], line.strip()]
            with suppress(OSError):  # of a log on a full disk; a child that is not read would hang
                sys.stderr.write(line)


def _written(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"not for JSON: {type(value).__name__}")

"""A private redis-server: a child that keeps nothing on disk and dies with its parent."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from typing import Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from mirante.backoff import Backoff

log = logging.getLogger(__name__)

PREFERRED_PORT = 6379
READY_TIMEOUT_S = 30.0  # on a machine that is overloaded; on others it takes 0.1 s
STOP_TIMEOUT_S = 3.0
RESTART_PAUSE_S = (0.2, 5.0)  # before a restart: at first, and at most
DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "TERM")  # util-linux, part of every Debian


class RedisServerError(RuntimeError):
    """redis-server is not installed or does not start."""


class RedisServer:
    """Runs redis-server on 127.0.0.1 until ``stop``; a context manager.

    It listens on ``port``, or on a free one where that is taken. When it dies it is started again
    on the same port: senders and readers reconnect by themselves. It writes nothing to disk, never
    evicts, and the kernel ends it when this process dies, however it dies.

    Args:
        port: preferred; 0 for a free one.
        options: more arguments of its command line.
    """

    def __init__(self, port: int = PREFERRED_PORT, options: Sequence[str] = ()) -> None:
        self.port = port if port and is_free_port(port) else free_port()
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._settled = threading.Event()  # the first start has succeeded or failed
        self._failure: RedisServerError | None = None
        self._output = os.fdopen(os.memfd_create("redis-server"), "w+b")  # needs no disk
        # The kernel ends a child with the *thread* that started it, so one thread starts them all.
        self._thread = threading.Thread(target=self._keep, name="redis-server", daemon=True)

    @property
    def url(self) -> str:
        """redis:// address of the server."""
        return f"redis://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        process = self._process
        return process.pid if process and process.poll() is None else None

    def start(self) -> Self:
        """Starts it and waits until it answers.

        Raises:
            RedisServerError: not installed, or not ready in time; with redis-server's own words.
        """
        self._thread.start()
        self._settled.wait()
        if self._failure:
            self.stop()
            raise self._failure
        return self

    def stop(self) -> None:
        """Ends it; what it held is gone."""
        self._stopping.set()
        with self._lock:
            process = self._process
        if process is not None:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
        if self._thread.is_alive():
            self._thread.join()
        self._output.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _keep(self) -> None:
        """Starts the server, waits for its end, starts it again, until ``stop``."""
        backoff = Backoff(*RESTART_PAUSE_S)
        while not self._stopping.is_set():
            try:
                process = self._spawn()
                self._until_ready(process)
                self._settled.set()
                status = process.wait()
                backoff.reset()
                how = f"by signal {-status}" if status < 0 else f"with status {status}"
                words = f"redis-server ended {how}"
            except RedisServerError as error:
                words = str(error)
                if not self._settled.is_set():
                    if is_free_port(self.port):
                        self._failure = error
                        break
                    self.port = free_port()  # somebody took it before redis-server could
            if not self._stopping.is_set():
                wait_s = backoff.next_s()
                log.error("%s; starting it again in %.1f s", words, wait_s)
                self._stopping.wait(wait_s)
        self._settled.set()

    def _spawn(self) -> subprocess.Popen[bytes]:
        program = shutil.which("redis-server")
        if program is None:
            raise RedisServerError(
                "redis-server is not installed: apt-get install redis-server, "
                "or set redis.url to a server that you have"
            )
        with self._lock:
            if self._stopping.is_set():
                raise RedisServerError("stopped while it was starting")
            self._output.truncate(0)
            self._process = subprocess.Popen(
                [*DIE_WITH_PARENT, program, *self._arguments()],
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the worker, which still has to flush
            )
            return self._process

    def _arguments(self) -> tuple[str, ...]:
        return (
            *("--bind", "127.0.0.1", "--port", str(self.port), "--daemonize", "no"),
            *("--save", "", "--appendonly", "no", "--dir", "/"),  # where it writes nothing
            *("--maxmemory-policy", "noeviction"),
            *self._options,
        )

    def _until_ready(self, process: subprocess.Popen[bytes]) -> None:
        """Waits for an answer from this very process: another server may hold the port."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        with self._client() as client:
            while time.monotonic() < deadline:
                if process.poll() is not None:
                    raise RedisServerError(f"redis-server does not start: {self._last_words()}")
                try:
                    if client.info("server")["process_id"] == process.pid:
                        return
                except redis.RedisError:
                    pass
                time.sleep(0.02)
        process.kill()
        process.wait()
        raise RedisServerError(f"redis-server is not ready within {READY_TIMEOUT_S:g} s")

    def _client(self) -> redis.Redis:
        """By its address: not every machine without a network knows the name localhost."""
        never = Retry(NoBackoff(), 0)
        return redis.Redis("127.0.0.1", self.port, socket_timeout=1.0, retry=never)

    def _last_words(self) -> str:
        self._output.seek(0)
        lines = self._output.read().decode(errors="replace").strip("\0 \n").splitlines()
        return lines[-1].partition(" # ")[2] or lines[-1] if lines else "it said nothing"


def is_free_port(port: int) -> bool:
    """Return whether nothing listens on a port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

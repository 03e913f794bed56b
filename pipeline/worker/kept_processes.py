"""Processes of workers that one supervisor keeps running, each on its own."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

from mirante.backoff import Backoff
from pipeline.service import READY
from pipeline.worker.redis_server import DIE_WITH_PARENT

log = logging.getLogger(__name__)

PAUSE_S = (0.5, 30.0)  # before a worker is started again: at first, and at most
STOP_TIMEOUT_S = 30.0  # a worker hands cameras over, for 15 s at most, and sends what it has
REFUSED_STATUS = 2  # of a configuration that no restart mends


@dataclass(frozen=True, slots=True)
class Plan:
    """A process that is to run.

    Attributes:
        name: the worker's.
        command: the program and its arguments.
        variables: of the environment, beside those of this process.
        files: open ones that it is given, by their numbers.
    """

    name: str
    command: Sequence[str]
    variables: Mapping[str, str]
    files: tuple[int, ...] = ()


class KeptProcess:
    """Runs a worker's process from construction to ``close``; a context manager.

    One that ends is started again, after a pause that doubles until it is ready once more. It tells
    how it is as it would tell systemd.

    Args:
        plan: what to run.
        silent_s: seconds after which one that says nothing of itself is killed; None for never.
        pause_s: the pause before it is started again, at first and at most.
        gives_up: do not start one again whose configuration was refused at the start.

    Attributes:
        is_ready: it runs, and has said that it is ready.
        was_ready: it has said so, or one before it.
        is_refused: its configuration was refused at the start, so it is not started again.
    """

    def __init__(
        self,
        plan: Plan,
        silent_s: float | None = None,
        pause_s: tuple[float, float] = PAUSE_S,
        gives_up: bool = True,
    ) -> None:
        self.name, self._gives_up = plan.name, gives_up
        self._plan, self._silent_s, self._pause_s = plan, silent_s, pause_s
        self._told: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._backoff = Backoff(*pause_s)
        self._heard_s = time.monotonic()
        self.is_ready = self.was_ready = self.is_refused = False
        # The kernel ends a child with the *thread* that started it, so one thread starts them all.
        self._thread = threading.Thread(target=self._keep, name=f"keep-{plan.name}", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        process = self._process
        return process.pid if process and process.poll() is None else None

    def listen(self) -> None:
        """Take what it told of itself; kill it where it says nothing for too long."""
        with self._lock:
            self._hear()
            silent_s = time.monotonic() - self._heard_s
            if self.is_ready and self._silent_s is not None and silent_s > self._silent_s:
                log.error("worker %s has said nothing for %.0f s; killed", self.name, silent_s)
                self.is_ready = False
                self._kill()

    def ask_to_end(self) -> None:
        """Let it send what it has, and end; does not wait."""
        self._stopping.set()
        with self._lock:
            if self._process is not None:
                self._process.terminate()

    def close(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """End it, and wait until it has."""
        self.ask_to_end()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            log.error("worker %s does not end within %.0f s; it is killed", self.name, timeout_s)
            with self._lock:
                self._kill()
            self._thread.join()
        if self._told is not None:
            self._told.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _hear(self) -> None:
        while (said := self._said()) is not None:
            self._heard_s = time.monotonic()
            if READY in said:
                self.is_ready = self.was_ready = True
                self._backoff.reset()

    def _said(self) -> str | None:
        try:
            return self._told.recv(4096).decode(errors="replace") if self._told else None
        except BlockingIOError:
            return None

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def _keep(self) -> None:
        while (process := self._spawn()) is not None:
            status = process.wait()
            with self._lock:
                self._hear()  # its last words, which nobody may have asked for since
                self.is_ready = False
            if self._stopping.is_set():
                return
            if status == REFUSED_STATUS and self._gives_up and not self.was_ready:
                self.is_refused = True
                return
            how = f"by signal {-status}" if status < 0 else f"with status {status}"
            wait_s = self._backoff.next_s()
            log.error("worker %s ended %s; it starts again in %.1f s", self.name, how, wait_s)
            self._stopping.wait(wait_s)

    def _spawn(self) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._stopping.is_set():
                return None
            if self._told is not None:
                self._told.close()
            # Each has a socket of its own: what the one before said last is not taken for its word.
            self._told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            address = f"mirante-{os.getpid()}-{secrets.token_hex(8)}"
            self._told.bind(f"\0{address}")
            told = {"NOTIFY_SOCKET": f"@{address}"}
            self._process = subprocess.Popen(
                [*DIE_WITH_PARENT, *self._plan.command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # it has no table to draw; its log goes where ours does
                env={**os.environ, **self._plan.variables, **told},
                pass_fds=self._plan.files,
                start_new_session=True,  # Ctrl-C is for the supervisor, which ends all of them
            )
            return self._process


def end_all(processes: Sequence[KeptProcess]) -> None:
    """End processes side by side, and wait for all of them."""
    with ExitStack() as closing:
        for process in processes:
            process.ask_to_end()
            closing.callback(process.close)

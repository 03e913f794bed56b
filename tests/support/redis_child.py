"""A real redis-server as a child process, on a Unix socket or a free port."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

import redis


class RedisChild:
    """Starts, kills, freezes and restarts one server over one folder.

    Args:
        folder: where it runs and has its socket.
        options: more arguments of its command line.
        port: of 127.0.0.1 beside the socket; 0 for none.
        program: what to run; other kinds are those of ``redis_kinds.program``.
    """

    def __init__(
        self, folder: Path, *options: str, port: int = 0, program: str = "redis-server"
    ) -> None:
        self.folder = folder
        self.options = options
        self.port = port
        self.program = program
        self.socket = folder / "s"
        self.process: subprocess.Popen[bytes] | None = None
        self._clients: list[redis.Redis] = []

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}" if self.port else f"unix://{self.socket}"

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None

    def start(self) -> "RedisChild":
        bound = ["--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", str(self.socket)]
        quiet = ["--save", "", "--dir", str(self.folder), "--loglevel", "warning"]
        self.process = subprocess.Popen(
            [self.program, *bound, *quiet, *self.options], stdout=subprocess.DEVNULL
        )
        end_s = time.monotonic() + 60
        while time.monotonic() < end_s and self.process.poll() is None:
            with contextlib.suppress(redis.RedisError):
                self.client().execute_command("PING")
                return self
            time.sleep(0.02)
        raise RuntimeError(f"{self.program} did not come up")

    def client(self) -> redis.Redis:
        """As the owner, past any access list."""
        client = redis.Redis(unix_socket_path=str(self.socket), protocol=2)
        self._clients.append(client)
        return client

    def hang_up(self) -> None:
        """Close the clients that were given."""
        while self._clients:
            self._clients.pop().close()

    def kill(self) -> None:
        assert self.process is not None
        self.hang_up()
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGCONT)
            self.process.kill()
        self.process.wait()

    def freeze(self, frozen: bool) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP if frozen else signal.SIGCONT)

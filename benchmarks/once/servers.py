"""Redis servers that can be killed: one with a file of its own, or two before a Sentinel."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import redis

from pipeline.worker.redis_server import DIE_WITH_PARENT, RedisServerError, free_port

READY_S = 30.0
_SERVICE = "main"


class Server:
    """A redis-server, or a Sentinel, on a port that stays its own.

    Args:
        folder: for its files; made.
        port: that is free.
        arguments: of its command line behind the common ones.
    """

    def __init__(self, folder: Path, port: int, *arguments: str) -> None:
        folder.mkdir()
        self.folder, self.port = folder, port
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        if (program := shutil.which("redis-server")) is None:
            raise RedisServerError("redis-server is not installed")
        common = ("--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder))
        self._process = subprocess.Popen(
            [*DIE_WITH_PARENT, program, *self._arguments, *common],
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        until_s = time.monotonic() + READY_S
        while time.monotonic() < until_s:
            with suppress(redis.RedisError), self.client() as client:
                client.ping()
                return
            time.sleep(0.02)
        raise RedisServerError(f"redis-server is not ready within {READY_S:g} s")

    def client(self) -> redis.Redis:
        """Return a client of this very server."""
        return redis.Redis(port=self.port, protocol=2, socket_timeout=1.0)

    def kill(self) -> None:
        """End it as a machine that loses its power ends."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


class Single:
    """One server, which appends what it is told to a file."""

    def __init__(self, folder: Path) -> None:
        options = ("--save", "", "--appendonly", "yes", "--loglevel", "warning")
        self._server = Server(folder / "redis", free_port(), *options)
        self.url = f"redis://127.0.0.1:{self._server.port}"

    def start(self) -> None:
        """Start it."""
        self._server.start()

    def stop(self) -> None:
        """End it."""
        self._server.kill()

    def outage(self, down_s: float, emptied: bool) -> None:
        """Kill it, and start it again some time later, without its file where it is emptied."""
        self._server.kill()
        if emptied:
            for each in self._server.folder.iterdir():
                shutil.rmtree(each) if each.is_dir() else each.unlink()
        time.sleep(down_s)
        self._server.start()


class Watched:
    """A primary and a replica, and a Sentinel that alone decides."""

    def __init__(self, folder: Path) -> None:
        options = ("--save", "", "--loglevel", "warning", "--repl-diskless-sync-delay", "0")
        first, second, sentinel = free_port(), free_port(), free_port()
        replica = ("--replicaof", f"127.0.0.1 {first}")
        self._servers = [
            Server(folder / "first", first, *options),
            Server(folder / "second", second, *options, *replica),
        ]
        file = folder / "sentinel.conf"
        file.write_text(
            f"sentinel monitor {_SERVICE} 127.0.0.1 {first} 1\n"
            f"sentinel down-after-milliseconds {_SERVICE} 600\n"
            f"sentinel failover-timeout {_SERVICE} 2000\n"
        )
        self._sentinel = Server(folder / "sentinel", sentinel, str(file), "--sentinel")
        self.url = f"redis+sentinel://127.0.0.1:{sentinel}/{_SERVICE}"

    def start(self) -> None:
        """Start all, and wait until the replica follows."""
        for server in (*self._servers, self._sentinel):
            server.start()
        self._await_replica()

    def stop(self) -> None:
        """End all."""
        for server in (self._sentinel, *self._servers):
            server.kill()

    def fail_over(self) -> None:
        """Kill the primary, wait until the other is one, and start the first as its replica."""
        before = self._primary()
        [other] = [server for server in self._servers if server is not before]
        before.kill()
        self._await(lambda: self._primary() is other and _role(other) == b"master")
        before.start()
        self._await_replica()

    def _primary(self) -> Server:
        with self._sentinel.client() as client:
            command = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", _SERVICE)
            _, port = client.execute_command(*command)
        [named] = [server for server in self._servers if server.port == int(port)]
        return named

    def _await_replica(self) -> None:
        def is_followed() -> bool:
            with self._primary().client() as client:
                info: Any = client.info("replication")
                return bool(info.get("slave0", {}).get("state") == "online")

        self._await(is_followed)
        self._await(self._knows_replica)

    def _knows_replica(self) -> bool:
        with self._sentinel.client() as client:
            return len(client.execute_command("SENTINEL", "REPLICAS", _SERVICE)) == 1

    @staticmethod
    def _await(condition: Callable[[], bool]) -> None:
        until_s = time.monotonic() + READY_S
        while time.monotonic() < until_s:
            with suppress(redis.RedisError):
                if condition():
                    return
            time.sleep(0.05)
        raise RedisServerError(f"no failover within {READY_S:g} s")


def _role(server: Server) -> bytes:
    with server.client() as client:
        return bytes(client.execute_command("ROLE")[0])

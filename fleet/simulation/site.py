"""Processes of synthetic workers, which can be killed, and what Redis says of their cameras."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import Self

import msgspec
import psutil
import redis

from fleet.simulation.messages import shares
from fleet.simulation.workers import Crew, Pace
from mirante.keys import owner_key
from mirante.redis_url import exchange

_STEP = 500  # keys asked for at once


class Crews:
    """Workers, spread over processes; a context manager that ends them.

    Args:
        url: address of Redis.
        workers: how many.
        processes: of about as many workers each.
        pace: of the workers.
        nodes: machines that the workers say to be on.

    Attributes:
        alive: names of the workers whose process was not killed.
    """

    def __init__(self, url: str, workers: int, processes: int, pace: Pace, nodes: int) -> None:
        self._url, self._pace, self._nodes = url, pace, nodes
        self._around = ExitStack()
        names = [name_of(number) for number in range(workers)]
        self._crews = shares(names, min(processes, workers))
        self._processes: list[subprocess.Popen[str]] = []
        self.alive = set(names)
        self._gone_s = 0.0

    def __enter__(self) -> Self:
        for names in self._crews:
            self._processes.append(self._started(names))
        for process in self._processes:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise RuntimeError("a process of workers did not start; it says why above")
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            if process.stdin is not None:
                with suppress(OSError):
                    process.stdin.close()
        self._around.close()

    def kill(self, processes: int) -> set[str]:
        """Kill the workers of so many processes without a word; return their names."""
        gone = set[str]()
        for _ in range(processes):
            process, names = self._processes.pop(), self._crews.pop()
            self._gone_s += _cpu_s(process)
            process.kill()
            process.wait()
            gone |= set(names)
        self.alive -= gone
        return gone

    def cpu_s(self) -> float:
        """Return their processor time, of those that were killed too."""
        return self._gone_s + sum(map(_cpu_s, self._processes))

    def _started(self, names: Sequence[str]) -> subprocess.Popen[str]:
        nodes = {name: f"node-{int(name[7:]) % self._nodes:03}" for name in names}
        crew = msgspec.json.encode(Crew(tuple(names), self._pace, nodes)).decode()
        process = subprocess.Popen(
            [sys.executable, "-m", "fleet.simulation.workers", self._url, crew],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._around.callback(_ended, process)
        return process


def _cpu_s(process: subprocess.Popen[str]) -> float:
    return float(sum(psutil.Process(process.pid).cpu_times()[:2]))


def name_of(number: int) -> str:
    """Return the name of a synthetic worker."""
    return f"worker-{number:03}"


def _ended(process: subprocess.Popen[str]) -> None:
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def owners(client: redis.Redis, cameras: Iterable[str]) -> dict[str, str]:
    """Return by camera the worker that publishes it, as the fence before its streams says; without
    those that nobody publishes.
    """
    names = list(cameras)
    found = {}
    for first in range(0, len(names), _STEP):
        part = names[first : first + _STEP]
        tokens = exchange(client, [("GET", owner_key(name)) for name in part])
        for name, token in zip(part, tokens, strict=True):
            if isinstance(token, bytes):
                found[name] = token.partition(b":")[0].decode()
    return found


def until(
    condition: Callable[[], Mapping[str, object]], timeout_s: float, every_s: float
) -> float | None:
    """Return the seconds until nothing is left of what ``condition`` returns; None: too long."""
    began_s = time.monotonic()
    while True:
        looked_s = time.monotonic()
        if not condition():
            return looked_s - began_s
        if looked_s - began_s > timeout_s:
            return None
        time.sleep(max(0.0, looked_s + every_s - time.monotonic()))

"""The Redis of a simulation: one server or a cluster of three, private, or one that is there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import redis

from pipeline.worker.redis_server import RedisServer, free_port

SLOTS = 16_384
_READY_S = 30.0


@contextmanager
def servers(where: str) -> Iterator[str]:
    """Run the Redis of a simulation.

    Args:
        where: ``one`` or ``cluster`` for a private one, else its address.

    Yields:
        The address.
    """
    if where == "one":
        with RedisServer(port=0) as server:
            yield server.url
    elif where == "cluster":
        with _cluster(3) as url:
            yield url
    else:
        yield where


@contextmanager
def _cluster(count: int) -> Iterator[str]:
    """Run primaries with equal shares of the slots."""
    with ExitStack() as stack:
        nodes, buses = [], []
        for _ in range(count):
            folder = Path(stack.enter_context(TemporaryDirectory()))
            buses.append(free_port())
            nodes.append(stack.enter_context(RedisServer(0, _options(folder, buses[-1]))))
        for number, node in enumerate(nodes):
            with redis.Redis(port=node.port) as client:
                client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
                first, end = (SLOTS * share // count for share in (number, number + 1))
                client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
                for other, bus in zip(nodes[:number], buses, strict=False):
                    client.execute_command("CLUSTER", "MEET", "127.0.0.1", other.port, bus)
        for node in nodes:
            _wait_ready(node, count)
        yield "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in nodes)


def _options(folder: Path, bus: int) -> tuple[str, ...]:
    return (
        *("--cluster-enabled", "yes", "--cluster-port", str(bus), "--dir", str(folder)),
        *("--cluster-announce-ip", "127.0.0.1"),
    )


def _wait_ready(node: RedisServer, count: int) -> None:
    """Wait until a node knows the others, and that all slots are served.

    Raises:
        RuntimeError: it does not come to that.
    """
    end_s = time.monotonic() + _READY_S
    with redis.Redis(port=node.port) as client:
        while True:
            info = str(client.execute_command("CLUSTER", "INFO"))
            if "cluster_state:ok" in info and f"cluster_size:{count}" in info:
                return
            if time.monotonic() > end_s:
                raise RuntimeError(f"the cluster is not up within {_READY_S:g} s: {info}")
            time.sleep(0.05)

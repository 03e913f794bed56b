"""A fleet on this machine alone: nodes of Ray that are processes, each with one worker."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import psutil
import ray
from ray.cluster_utils import Cluster

from fleet import ray_fleet, redis_address
from pipeline.worker.load import space_of

STORE_BYTES = 80 << 20  # nothing travels through Ray's store of objects; this is its least


class LocalFleet:
    """Nodes, keepers and workers; a context manager.

    Args:
        url: address of Redis.
        nodes: how many, with a worker each.
        settings: further keys of the workers' configuration.
        cores: that cameras of each worker may use; None for its share of those that are free.
        keeps_state: Ray's head keeps its state in Redis, and survives its own end.

    Attributes:
        nodes: those that run, by what the fleet calls them.
        workers: the actors, by the worker's name.
        keepers: the actors.
    """

    def __init__(
        self,
        url: str,
        nodes: int,
        settings: dict[str, Any] | None = None,
        cores: float | None = None,
        keeps_state: bool = False,
    ) -> None:
        self._url, self._count, self._settings = url, nodes, settings or {}
        self._cores = cores or max(0.5, space_of(0.0).free / nodes)
        self._keeps_state = keeps_state
        self._cluster: Any = None
        self.keepers: list[Any] = []
        self._before: dict[str, str | None] = {}
        self.nodes: dict[str, Any] = {}
        self.workers: dict[str, Any] = {}

    def __enter__(self) -> Self:
        ray_fleet.prepare()
        own = {ray_fleet.NICENESS: "0", redis_address.VARIABLE: self._url}
        if self._keeps_state:
            own["RAY_REDIS_ADDRESS"] = self._url.removeprefix("redis://")
        self._before = {name: os.environ.get(name) for name in own}
        os.environ.update(own)  # for the nodes that are started here
        head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": STORE_BYTES}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        ray_fleet.be_quiet()
        try:
            ray.init(
                address=self._cluster.address,
                namespace=ray_fleet.NAMESPACE,
                logging_level=logging.ERROR,
                log_to_driver=False,
            )
            for _ in range(self._count):
                self.add_node()
            self.keepers = ray_fleet.start_keepers(self._url, self._count)
            for number in range(self._count):
                self.add_worker(f"worker-{number + 1}")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                ray_fleet.close_keepers(self.keepers)  # first: there is nobody to hand cameras to
                ray_fleet.close(list(self.workers.values()))
        finally:
            self._end()

    def add_node(self) -> str:
        """Start a node with room for a worker; return what the fleet calls it."""
        node = self._cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
        name = ray_fleet.node_name(node.node_id)
        self.nodes[name] = node
        return name

    def add_worker(self, name: str) -> None:
        """Start a worker on a node that has room for it, or as soon as there is one."""
        self.workers[name] = ray_fleet.start_worker(
            self._url, name, cores=self._cores, by_node=True, settings=self._settings
        )

    def pid_of(self, worker: str, timeout_s: float = 60.0) -> int | None:
        """Return the process of a worker; None between two of them."""
        pid: int | None = ray.get(self.workers[worker].pid.remote(), timeout=timeout_s)
        return pid

    def kill_node(self, name: str) -> None:
        """Kill all processes of a node, as a power cut does."""
        for process in self._processes(self.nodes[name]):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._cluster.remove_node(self.nodes.pop(name), allow_graceful=False)

    def freeze_node(self, name: str) -> list[psutil.Process]:
        """Stop all processes of a node, and return them, to be given to ``thaw``."""
        stopped = list(self._processes(self.nodes[name]))
        for process in stopped:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        return stopped

    def thaw(self, stopped: list[psutil.Process]) -> None:
        """Let processes go on."""
        for process in stopped:
            with suppress(psutil.NoSuchProcess):
                process.resume()

    def forget_node(self, name: str) -> None:
        """Clear up what is left of a node that Ray has given up."""
        self._cluster.remove_node(self.nodes.pop(name), allow_graceful=False)

    def retire(self, worker: str, node: str) -> None:
        """End a worker for good, and its node."""
        ray_fleet.close([self.workers.pop(worker)])
        self._cluster.remove_node(self.nodes.pop(node))

    def kill_head(self) -> None:
        """Kill the process that holds Ray's state."""
        self._cluster.head_node.kill_gcs_server()

    def restart_head(self) -> None:
        """Start that process again."""
        self._cluster.head_node.start_gcs_server()

    def _processes(self, node: Any) -> Iterator[psutil.Process]:
        """The processes of a node, parents first."""
        for infos in node.all_processes.values():
            for info in infos:
                with suppress(psutil.NoSuchProcess):
                    parent = psutil.Process(info.process.pid)
                    yield parent
                    yield from parent.children(recursive=True)

    def _end(self) -> None:
        left = [p for node in self.nodes.values() for p in self._processes(node)]
        ray.shutdown()
        self._cluster.shutdown()
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        for process in left:  # what was frozen, or ends with its parent in its own time
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)
                process.terminate()
        psutil.wait_procs(left, timeout=20)

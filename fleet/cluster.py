"""A fleet on a cluster of Ray: a worker for each GPU, or for each node without one."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, Self

from fleet import ray_fleet

log = logging.getLogger(__name__)

LOOK_S = 5.0  # between two looks at the nodes
LATE_S = 10.0  # for an answer of Ray, after which it is said that there is none
JOIN_S = 5.0  # for a look that is under way at the end


class Slot(NamedTuple):
    """A place on a node for one worker.

    Attributes:
        worker: its name.
        num_cpus, num_gpus: that Ray sets aside for it.
        cores: that its cameras may use; None for what it finds.
    """

    worker: str
    num_cpus: float
    num_gpus: int
    cores: float | None


def able(nodes: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the nodes, as Ray lists them, that can have a worker."""
    return [n for n in nodes if n["Alive"] and n["Resources"].get("CPU", 0.0) >= 1]


def slots(nodes: Iterable[Mapping[str, Any]]) -> list[Slot]:
    """Return where workers may be, on nodes that can have some."""
    found, of_host = list[Slot](), Counter[str]()
    for node in nodes:
        gpus, cpus = int(node["Resources"].get("GPU", 0)), node["Resources"]["CPU"]
        share = max(1.0, cpus // max(1, gpus) - 1)
        cores = share if gpus > 1 else None  # else each would offer the whole machine
        host = node["NodeManagerHostname"]
        for _ in range(max(1, gpus)):
            of_host[host] += 1  # which may have several nodes
            found.append(Slot(f"{host}-{of_host[host]}", share, 1 if gpus else 0, cores))
    return found


def lacking(there: Iterable[Slot], workers: Collection[str]) -> list[Slot]:
    """Return the slots for which workers are to be started: as many as there are more than workers,
    as those of a node that is gone come back on the one in its place, whatever it is called.
    """
    found = list(there)
    free = [slot for slot in found if slot.worker not in workers]
    return free[: max(0, len(found) - len(workers))]


class ClusterFleet:
    """Keepers and workers on the cluster that Ray finds, those too that another process started
    there; a context manager. They outlive a process that does not end as it should.

    Args:
        url: address of Redis, which all nodes reach.
        stays: they run on at the end too.

    Attributes:
        workers: the actors, by the worker's name.
        stays: as above; to be set where Ray cannot end them, as its head is away.
    """

    def __init__(self, url: str, stays: bool = False) -> None:
        self._url, self.stays = url, stays
        self._keepers: list[list[Any]] = []
        self.workers: dict[str, Any] = {}

    def __enter__(self) -> Self:
        ray_fleet.join()
        try:
            self.grow()
            actors = [*self.workers.values(), *(k for some in self._keepers for k in some)]
            ray_fleet.check(actors)
        except BaseException:
            ray_fleet.leave()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if not self.stays:
            for keepers in self._keepers:  # first: all workers end
                ray_fleet.close_keepers(keepers)
            ray_fleet.close(list(self.workers.values()))
        ray_fleet.leave()

    def grow(self) -> None:
        """Start keepers and workers for nodes that have joined, and find those that run."""
        nodes = able(ray_fleet.nodes())
        self._find()
        count = min(ray_fleet.KEEPERS, len(nodes))
        if count > max(map(len, self._keepers), default=0):
            self._keepers.append(ray_fleet.start_keepers(self._url, count))
        for slot in lacking(slots(nodes), self.workers.keys()):
            log.info('worker "%s" begins', slot.worker)
            self.workers[slot.worker] = ray_fleet.start_worker(
                self._url,
                slot.worker,
                num_cpus=slot.num_cpus,
                num_gpus=slot.num_gpus,
                cores=slot.cores,
            )

    def _find(self) -> None:
        """Find keepers and workers that run, whatever their nodes were called at first."""
        known = {len(keepers) for keepers in self._keepers}
        for count in sorted(ray_fleet.groups_of_keepers() - known):
            self._keepers.append(ray_fleet.start_keepers(self._url, count))
        for name in ray_fleet.running() - self.workers.keys():
            with suppress(ValueError):  # it was ended meanwhile
                self.workers[name] = ray_fleet.find_worker(name)


class Growth:
    """Has a fleet grow with its cluster, on a thread of its own, as Ray answers some questions only
    once its head is there again; a context manager.

    Args:
        fleet: on the cluster.
    """

    def __init__(self, fleet: ClusterFleet) -> None:
        self._fleet = fleet
        self._over = threading.Event()
        self._asked_s: float | None = None  # since when there is no answer
        self._failure, self._is_said = "", False
        self._thread = threading.Thread(target=self._run, name="growth", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(JOIN_S)
        if self._thread.is_alive() or self._failure:
            log.warning("Ray's head does not answer: keepers and workers run on")
            self._fleet.stays = True

    def say(self) -> None:
        """Say once that Ray does not answer, and once that it does again; to be called often."""
        asked_s, failure = self._asked_s, self._failure
        is_late = asked_s is not None and time.monotonic() - asked_s > LATE_S
        if (is_lost := is_late or bool(failure)) is self._is_said:
            return
        self._is_said = is_lost
        if is_lost:
            words = failure or f"no answer for {LATE_S:g} s"
            log.warning("Ray: %s; the fleet runs on, and new nodes are looked for again", words)
        else:
            log.warning("Ray answers again")

    def _run(self) -> None:
        while not self._over.wait(LOOK_S):
            self._asked_s = self._asked_s or time.monotonic()
            try:
                self._fleet.grow()
            except Exception as error:  # noqa: BLE001 - of Ray, whose head may be away for a while
                self._failure = str(error).strip().splitlines()[0] if str(error) else repr(error)
            else:
                self._asked_s, self._failure = None, ""

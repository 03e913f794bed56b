"""Workers and keepers placed by Ray: the one module that imports it.

Ray starts them on the machines that have room for them, spread out, and again where one died. Which
worker has which camera it does not know: that is the keeper's, which sees a dead worker sooner.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import ray
from ray._private import worker as ray_worker
from ray.util import (
    get_placement_group,
    list_named_actors,
    placement_group,
    remove_placement_group,
)
from ray.util.placement_group import PlacementGroup
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from fleet.hosting import HostedWorker, settings_of
from fleet.keeping import keep_or_end
from fleet.redis_address import public, whole
from pipeline.config.settings import Log
from pipeline.logs import configure_logs

NAMESPACE = "mirante"
_WORKER = "worker-"  # before the name of one, as of an actor
_KEEPER = "keeper-"
KEEPERS = 3  # one decides, the others stand by
KEEPERS_GROUP = "keepers"
KEEPER_BYTES = 128 << 20  # set aside for each: every node has some, and a worker asks for none
HEALTH = {  # of nodes: Ray's own 5 s, 10 s and 5 times notice a frozen one after a minute
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
    # Without a head all of Ray ends itself after 60 s, and its workers with it: they need none.
    "RAY_gcs_rpc_server_reconnect_timeout_s": "86400",
}
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_enable_worker_prestart": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_agent_register_timeout_ms": "180000",  # of a process of its own, on a machine that is busy
    "RAY_raylet_start_wait_time_s": "180",
}

NICENESS = (
    "RAY_worker_niceness"  # Ray's own 15 would have all else on the machine go before cameras
)

log = logging.getLogger(__name__)


def prepare() -> None:
    """Set what Ray reads from the environment, before anything of it is started here."""
    for name, value in {**HEALTH, **QUIET}.items():
        os.environ.setdefault(name, value)


def be_quiet() -> None:
    """Have Ray print nothing of its nodes here. ``log_to_driver=False`` keeps the lines of actors
    away, but not the logs of a node that died, which Ray sends to every driver as an error.
    """
    inner: Any = ray_worker
    inner._worker_logs_enabled = False


def join() -> None:
    """Become part of the cluster that Ray finds."""
    prepare()
    ray.init(address="auto", namespace=NAMESPACE, logging_level=logging.ERROR)


def leave() -> None:
    """End being part of it; actors go on."""
    ray.shutdown()


def nodes() -> list[dict[str, Any]]:
    """Return the nodes of the cluster, those too that are gone, as Ray lists them."""
    library: Any = ray  # whose functions have no types
    found: list[dict[str, Any]] = library.nodes()
    return found


class WorkerActor:
    """Hosts one worker of the fleet.

    Args:
        url: address of Redis, as ``public`` returns it.
        worker: its name.
        cores: that its cameras may use; None for what it finds.
        by_node: call the machine by Ray's ID of the node, where several are on one machine.
        settings: further keys of its configuration.
    """

    def __init__(
        self,
        url: str,
        worker: str,
        cores: float | None,
        by_node: bool,
        settings: Mapping[str, Any],
    ) -> None:
        node = node_name(ray.get_runtime_context().get_node_id()) if by_node else None
        self._hosted = HostedWorker(whole(url), settings_of(worker, node, cores, settings))

    def pid(self) -> int | None:
        """Return the worker's process; None between two of them."""
        return self._hosted.pid

    def close(self) -> None:
        """End the worker, once others have its cameras."""
        self._hosted.close()


class KeeperActor:
    """Keeps the fleet, or stands by.

    Args:
        url: address of Redis, as ``public`` returns it.
    """

    def __init__(self, url: str) -> None:
        configure_logs(Log())
        self._over = threading.Event()
        args = (whole(url), self._over)
        self._thread = threading.Thread(target=keep_or_end, args=args, daemon=True)
        self._thread.start()

    def pid(self) -> int:
        """Return this process."""
        return os.getpid()

    def close(self) -> None:
        """End it."""
        self._over.set()
        self._thread.join()


def node_name(node_id: str) -> str:
    """Return what the fleet calls a node of Ray."""
    return f"node-{node_id[:6]}"


def start_keepers(url: str, nodes: int) -> list[Any]:
    """Start keepers, or find those that run: as many as there are nodes for, each on its own.

    Args:
        url: address of Redis, which all nodes reach.
        nodes: of the cluster that can have one.
    """
    count = max(1, min(KEEPERS, nodes))
    places = _places(count)
    made = []
    for number in range(count):
        options = _options(f"{_KEEPER}{count}-{number}", num_cpus=0, memory=KEEPER_BYTES)
        options["scheduling_strategy"] = PlacementGroupSchedulingStrategy(places, number)
        made.append(ray.remote(KeeperActor).options(**options).remote(public(url)))
    return made


def _places(count: int) -> PlacementGroup:
    """Return the places of so many keepers. "SPREAD" of actors is not enough: those of nodes that
    die begin again on what is left, in the end all on one, whose end is that of all.
    """
    name = f"{KEEPERS_GROUP}-{count}"
    try:
        return get_placement_group(name)
    except ValueError:
        bundles: list[dict[str, float]] = [{"memory": KEEPER_BYTES}] * count
        return placement_group(bundles, "STRICT_SPREAD", name, lifetime="detached")


def start_worker(
    url: str,
    worker: str,
    *,
    num_cpus: float = 1,
    num_gpus: float = 0,
    cores: float | None = None,
    by_node: bool = False,
    settings: Mapping[str, Any] | None = None,
) -> Any:
    """Start a worker on a node that has room for it, or find it where it runs; return the actor.

    Args:
        url: address of Redis, which all nodes reach.
        worker: its name.
        num_cpus, num_gpus: that Ray sets aside for it.
        cores: that its cameras may use; None for what it finds.
        by_node: as of ``WorkerActor``.
        settings: further keys of its configuration.
    """
    options = _options(f"{_WORKER}{worker}", num_cpus=num_cpus, num_gpus=num_gpus)
    remote = ray.remote(WorkerActor).options(**options)
    return remote.remote(public(url), worker, cores, by_node, settings or {})


def running() -> set[str]:
    """Return the names of the workers that were started, those too that wait for a node."""
    return {name.removeprefix(_WORKER) for name in _named() if name.startswith(_WORKER)}


def groups_of_keepers() -> set[int]:
    """Return how many keepers there are of each group that ``start_keepers`` started."""
    found = (name.removeprefix(_KEEPER) for name in _named() if name.startswith(_KEEPER))
    return {int(name.partition("-")[0]) for name in found}


def _named() -> list[str]:
    found: list[str] = list_named_actors()
    return found


def find_worker(worker: str) -> Any:
    """Return the actor of a worker that was started, by its name.

    Raises:
        ValueError: there is none any more.
    """
    return ray.get_actor(f"{_WORKER}{worker}")


def check(actors: Sequence[Any], timeout_s: float = 60.0) -> None:
    """Wait until actors work.

    Raises:
        RuntimeError: one cannot, in words.
    """
    try:
        ray.get([actor.pid.remote() for actor in actors], timeout=timeout_s)
    except ray.exceptions.GetTimeoutError:
        log.warning("not all of the fleet began within %g s; the others work", timeout_s)
    except ray.exceptions.RayActorError as error:
        raise RuntimeError(str(error).strip().splitlines()[-1].strip()) from None


def close(actors: Sequence[Any], timeout_s: float = 30.0) -> None:
    """End actors for good."""
    if not actors:
        return
    ready, late = ray.wait(
        [actor.close.remote() for actor in actors],
        num_returns=len(actors),
        timeout=timeout_s,
    )
    del ready
    if late:
        log.warning("%d of the fleet did not end within %g s", len(late), timeout_s)
    for actor in actors:
        ray.kill(actor)


def close_keepers(keepers: Sequence[Any]) -> None:
    """End keepers for good, and give up their places. One that has none, as its node died, is not
    waited for.
    """
    close(keepers, timeout_s=10.0)
    remove_placement_group(_places(len(keepers)))


def _options(name: str, **resources: float) -> dict[str, Any]:
    env = {} if NICENESS in os.environ else {"runtime_env": {"env_vars": {NICENESS: "0"}}}
    return {
        **env,
        "name": name,
        "namespace": NAMESPACE,
        "lifetime": "detached",
        "get_if_exists": True,
        "max_restarts": -1,
        "max_task_retries": -1,
        "scheduling_strategy": "SPREAD",
        **resources,
    }

"""Workers that are to have no cameras: which they are, and what they run yet."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import cast

import redis

from fleet.cameras import Change, Followed
from fleet.members import run_name, worker_of_run
from mirante.keys import FLEET_DRAINED, owner_key
from mirante.redis_url import exchange
from pipeline.control.beats import Beat, beats
from pipeline.control.changing import RegistryError
from pipeline.control.fleet_report import reported
from pipeline.control.registry import Registry
from pipeline.control.reports import reports
from plugins.outbox.fence import owner_of

LOOK_S = 0.25  # between two looks at what workers run: the version of the cameras, and few owners
WORKERS_S = 2.0  # between two looks at which workers a name stands for
CHECKED_S = 2.0  # between two looks at whether a keeper runs


def drain(client: redis.Redis, name: str, undo: bool = False) -> None:
    """Have the fleet give the cameras of a worker, or of a node, to others; or use it again.

    Args:
        client: a Redis client that answers bytes.
        name: of the worker or node; or the host name of workers, as of a pod.
        undo: use it again, also where it was to leave.

    Raises:
        ValueError: no worker or node has that name.
        redis.RedisError: Redis does not answer.
    """
    there = beats(client)
    of_host = _on_host(client, name, there)
    if undo:
        _undo(client, name, of_host)
        return
    known = sorted({*there, *(each.node for each in there.values())})
    if not of_host and name not in known:
        raise ValueError(
            f'"{name}" is not a worker or node of this fleet; known: {", ".join(known) or "none"}'
        )
    client.sadd(FLEET_DRAINED, *(sorted(of_host) or [name]))


def _undo(client: redis.Redis, name: str, of_host: Collection[str]) -> None:
    drained = {each.decode() for each in cast(set[bytes], client.smembers(FLEET_DRAINED))}
    own = workers_of(client, name)
    undone = {n for n in drained if n in (name, *of_host) or worker_of_run(n) in own}
    if not undone:
        places = sorted({worker_of_run(each) or each for each in drained})
        raise ValueError(f'"{name}" is not drained; drained: {", ".join(places) or "none"}')
    client.srem(FLEET_DRAINED, *sorted(undone))


def cameras_on(client: redis.Redis, name: str) -> list[str]:
    """Return the cameras of the fleet of a worker, or of all workers of a node; those of a worker's
    own configuration never leave it.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    entries = Registry(client).cameras()
    found = [each for each in entries.values() if each.fleet]
    workers = workers_of(client, name)
    return [each.name for each in found if each.worker in workers]


def check_kept(client: redis.Redis) -> None:
    """Refuse to wait for what only a keeper does.

    Raises:
        RegistryError: none runs.
        redis.RedisError: Redis does not answer.
    """
    report = reported(client)
    if report is None or report.state == "gone":
        words = "no keeper runs, so its cameras stay where they are; start one with: mirante fleet"
        raise RegistryError(f"{words} keep")


def workers_of(client: redis.Redis, name: str) -> set[str]:
    """Return the workers that a name means: one of them, all of a node, or all of a host.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    there = beats(client)
    found = {worker for worker, beat in there.items() if name in (worker, beat.node)}
    return found | _on_host(client, name, there) | {name}


def _on_host(client: redis.Redis, host: str, there: Mapping[str, Beat]) -> set[str]:
    """Return what ``_reported_on`` does; none where a worker or a node is called like the host."""
    if any(host in (worker, beat.node) for worker, beat in there.items()):
        return set()
    return _reported_on(client, host, there)


def _reported_on(client: redis.Redis, host: str, there: Mapping[str, Beat]) -> set[str]:
    """Return the workers that beat and whose machine, or container, calls itself so."""
    return {name for name, each in reports(client).items() if each.host == host and name in there}


class Running:
    """Follows which cameras of the fleet workers run: those too that others have been given and
    have not taken over yet, and none that is paused.

    Args:
        client: a Redis client that answers bytes.
        find: returns the workers, as ``workers_of`` does; called again every few seconds.
    """

    def __init__(self, client: redis.Redis, find: Callable[[], Collection[str]]) -> None:
        self._client, self._find = client, find
        self._cameras = Followed(client)
        self._workers: set[str] = set()
        self._due_s = 0.0

    def look(self) -> list[str]:
        """Return their names; of cameras is read what changed.

        Raises:
            redis.RedisError: Redis does not answer.
        """
        changed = self._cameras.follow()
        if changed is not Change.NONE or time.monotonic() >= self._due_s:
            self._due_s = time.monotonic() + WORKERS_S
            self._workers |= set(self._find())  # whose report is late has its cameras yet
        entries = [each for each in self._cameras.entries.values() if not each.paused]
        own = self._workers
        leaving = [each for each in entries if each.worker not in own and each.before in own]
        owners = exchange(self._client, [("GET", owner_key(each.name)) for each in leaving])
        left = {each.name for each in entries if each.worker in own}
        for entry, owner in zip(leaving, owners, strict=True):
            if isinstance(owner, redis.RedisError):
                raise owner
            if owner_of(owner or b"") == entry.before:
                left.add(entry.name)
        return sorted(left)


def running_on(client: redis.Redis, name: str) -> list[str]:
    """Return the cameras that ``Running`` finds.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    return Running(client, partial(workers_of, client, name)).look()


def leave(client: redis.Redis, host: str) -> list[str]:
    """Have the cameras of all workers of a host given to others, until each of these workers begins
    again, here or elsewhere; return the workers.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    there = beats(client)
    own = _reported_on(client, host, there)
    if own:
        client.sadd(FLEET_DRAINED, *(run_name(worker, there[worker]) for worker in own))
    return sorted(own)


def wait_empty(
    client: redis.Redis,
    find: Callable[[], Collection[str]],
    timeout_s: float,
    say: Callable[[int], None],
) -> list[str]:
    """Wait until workers run no cameras; return those that they run still.

    Args:
        client: a Redis client that answers bytes.
        find: as of ``Running``.
        timeout_s: the longest wait.
        say: given how many there are, at first and whenever that changes.

    Raises:
        RegistryError: no keeper runs.
        redis.RedisError: Redis does not answer.
    """
    running, until_s = Running(client, find), time.monotonic() + timeout_s
    said, checked_s = 0, float("-inf")
    while (left := running.look()) and time.monotonic() < until_s:
        if time.monotonic() - checked_s > CHECKED_S:
            check_kept(client)
            checked_s = time.monotonic()
        if len(left) != said:
            said = len(left)
            say(said)
        time.sleep(LOOK_S)
    return left

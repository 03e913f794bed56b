"""The loop around a keeper: one of several decides, the others follow and take its place."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from typing import cast

import redis

from fleet.keeper import Keeper
from fleet.members import TICK_S
from fleet.telling import Telling
from mirante.keys import FLEET_DRAINED, FLEET_KEEPER, owner_key
from mirante.outage import Outage
from mirante.redis_url import RedisUrl, exchange
from pipeline.control.beats import beats
from pipeline.control.changing import RegistryError
from pipeline.control.fleet_report import reported
from pipeline.control.lease import Lease
from pipeline.control.registry import Registry, connect
from plugins.outbox.fence import owner_of

log = logging.getLogger(__name__)

LEASE_MS = 1500  # a keeper that died is replaced so much later


def keep(url: str, stop: threading.Event, then: Callable[[Keeper], None] | None = None) -> None:
    """Decide which worker has which camera until ``stop`` is set, or wait for the one that does.

    Args:
        url: address of Redis.
        stop: ends it.
        then: given the keeper after each of its steps.
    """
    outage = Outage(RedisUrl(url), log, "cameras stay where they are")
    with connect(url) as client:
        telling = Telling(client)
        lease = Lease(client, FLEET_KEEPER, "the fleet's keeper", "nothing", LEASE_MS)
        keeper = Keeper(client, decides=lease.take)
        decides = False
        while not stop.wait(TICK_S):
            try:
                if decides is not (decides := lease.take()):
                    log.info("%s", "this keeper decides" if decides else "another keeper decides")
                if decides:
                    keeper.step()
                    telling.tell(keeper)
                else:
                    keeper.look()
            except (redis.RedisError, RegistryError) as error:
                outage.failed(error, "keeper")
                continue
            outage.served("keeper")
            if decides and then is not None:
                then(keeper)
        if decides:
            try:
                lease.release()
            except redis.RedisError as error:
                log.info("another keeper takes over in %d ms: %s", LEASE_MS, error)


def keep_or_end(url: str, stop: threading.Event) -> None:
    """As ``keep``, on a thread: end the process where it fails, so that what started it sees it."""
    try:
        keep(url, stop)
    except BaseException:
        log.exception("the keeper failed")
        os._exit(1)


def drain(client: redis.Redis, name: str, undo: bool = False) -> None:
    """Have the fleet give the cameras of a worker, or of a node, to others; or use it again.

    Args:
        client: a Redis client that answers bytes.
        name: of the worker or node.
        undo: use it again.

    Raises:
        ValueError: no worker or node has that name.
        redis.RedisError: Redis does not answer.
    """
    drained = {each.decode() for each in cast(set[bytes], client.smembers(FLEET_DRAINED))}
    if undo and name in drained:
        client.srem(FLEET_DRAINED, name)
        return
    found = beats(client)
    known = sorted({*found, *(each.node for each in found.values())})
    if undo or name not in known:
        places = sorted(drained) if undo else known
        what, which = (
            ("drained", "drained") if undo else ("a worker or node of this fleet", "known")
        )
        raise ValueError(f'"{name}" is not {what}; {which}: {", ".join(places) or "none"}')
    client.sadd(FLEET_DRAINED, name)


def cameras_on(client: redis.Redis, name: str) -> list[str]:
    """Return the cameras of the fleet of a worker, or of all workers of a node; those of a worker's
    own configuration never leave it.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    workers = {worker for worker, beat in beats(client).items() if name in (worker, beat.node)}
    entries = Registry(client).cameras()
    found = [each for each in entries.values() if each.fleet]
    return [each.name for each in found if each.worker in workers | {name}]


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


def running_on(client: redis.Redis, name: str) -> list[str]:
    """Return the cameras of the fleet that a worker, or any of a node, runs: those too that others
    have been given and have not taken over yet, and none that is paused.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    workers = {worker for worker, beat in beats(client).items() if name in (worker, beat.node)}
    workers |= {name}
    found = Registry(client).cameras().values()
    entries = [each for each in found if each.fleet and not each.paused]
    leaving = [each for each in entries if each.worker not in workers and each.before in workers]
    owners = exchange(client, [("GET", owner_key(each.name)) for each in leaving])
    left = {each.name for each in entries if each.worker in workers}
    for entry, owner in zip(leaving, owners, strict=True):
        if isinstance(owner, redis.RedisError):
            raise owner
        if owner_of(owner or b"") == entry.before:
            left.add(entry.name)
    return sorted(left)

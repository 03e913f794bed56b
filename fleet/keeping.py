"""The loop around a keeper: one of several decides, the others follow and take its place."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

import redis

from fleet.keeper import Keeper
from fleet.members import TICK_S
from fleet.telling import Telling
from mirante.keys import FLEET_KEEPER
from mirante.outage import Outage
from mirante.redis_url import RedisUrl
from pipeline.control.changing import RegistryError
from pipeline.control.lease import Lease
from pipeline.control.registry import connect

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

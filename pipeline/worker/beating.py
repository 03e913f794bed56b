"""The thread by which a worker of a fleet says that it works."""

from __future__ import annotations

import logging
import secrets
import socket
import threading
from contextlib import suppress
from importlib.metadata import version

import msgspec
import redis

from mirante.keys import FLEET_KEEPER
from mirante.outage import Outage
from mirante.redis_url import RedisUrl
from pipeline.config.fleet import Fleet
from pipeline.control.beats import BEAT_S, Beat, beat, beats, end
from pipeline.worker.load import space_of
from pipeline.worker.machine import gpu_count

log = logging.getLogger(__name__)


class Beating:
    """Says twice a second that a worker works, from ``start`` to ``stop``.

    A thread of its own, as the worker's takes its time to stop cameras.

    Args:
        worker: its name.
        settings: what it is in the fleet.
        url: of Redis.
    """

    def __init__(self, worker: str, settings: Fleet, url: RedisUrl) -> None:
        self._worker, self._url = worker, url
        cores = settings.cores
        space = space_of(0.0)
        self._beat = Beat(
            run=secrets.token_hex(8),
            number=0,
            node=settings.node or socket.gethostname(),
            cores=space.free if cores is None else cores,
            labels=settings.labels,
            zone=settings.zone or "",
            gpus=gpu_count(),
            version=version("mirante"),
            shares=cores is None and not space.own_cores,
        )
        self._outage = Outage(url, log, "the fleet gives its cameras to other workers")
        self._over, self._due = False, threading.Condition()
        self._thread: threading.Thread | None = None
        self._joins = settings.join

    def start(self) -> None:
        """Begin, where the worker is one of a fleet, and has not begun."""
        if self._joins and self._thread is None:
            self._over = False
            self._thread = threading.Thread(target=self._run, name="fleet", daemon=True)
            self._thread.start()

    def leave(self) -> bool:
        """Ask the fleet to give the worker's cameras to others; return whether it may: somebody
        decides, and there are others that stay.
        """
        if self._thread is None:
            return False
        with self._due:
            self._beat = msgspec.structs.replace(self._beat, leaves=True)
            self._due.notify()
        with suppress(redis.RedisError), self._url.shaped_client(1.0) as client:
            others = [each for name, each in beats(client).items() if name != self._worker]
            return bool(client.exists(FLEET_KEEPER)) and not all(each.leaves for each in others)
        return False

    def stop(self) -> None:
        """End, and let the fleet know."""
        if self._thread is None:
            return
        with self._due:
            self._over = True
            self._due.notify()
        self._thread.join()
        self._thread = None

    def _run(self) -> None:
        client = self._url.client(1.0)
        while not self._over:
            with self._due:  # "leave" changes it too
                self._beat = msgspec.structs.replace(self._beat, number=self._beat.number + 1)
            try:
                beat(client, self._worker, self._beat)
            except redis.RedisError as error:
                self._outage.failed(error, "fleet")
            else:
                self._outage.served("fleet")
            with self._due:
                if not self._over:
                    self._due.wait(BEAT_S)
        try:
            end(client, self._worker)
        except redis.RedisError as error:
            log.info("the fleet was not told of the end: %s", self._url.explain(error))
        client.close()

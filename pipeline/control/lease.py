"""A lease on a worker's name: a key in Redis that its holder keeps alive."""

from __future__ import annotations

import json
import os
import secrets
import socket
from typing import Any, Self, cast

import redis

from mirante.keys import WORKERS, lease_key

LEASE_MS = 10_000
RENEW_S = 3.0


class LeaseTakenError(RuntimeError):
    """Another live worker has the name."""


class WorkerLease:
    """Holds ``mirante:worker:<name>``. ``renew`` is to be called every ``RENEW_S`` seconds.

    A holder that dies is replaced at once on its own machine, and after ``LEASE_MS`` elsewhere.
    """

    def __init__(self, client: redis.Redis, worker: str) -> None:
        self._client = client
        self._worker = worker
        self._key = lease_key(worker)
        holder = {"host": socket.gethostname(), "pid": os.getpid(), "token": secrets.token_hex(8)}
        self._value = json.dumps(holder)

    def acquire(self) -> Self:
        """Takes the name.

        Raises:
            LeaseTakenError: a live worker has it.
            redis.RedisError: Redis does not answer.
        """
        if not self._take() and (holder := self._holder()) is not None:
            if _is_alive(holder):
                raise LeaseTakenError(
                    f'worker "{self._worker}" runs already: process {holder["pid"]} on '
                    f'{holder["host"]}; stop it, or give this one another name (key "worker"). '
                    f"The name of a worker that died elsewhere is free {LEASE_MS // 1000} s later"
                )
            self._client.set(self._key, self._value, px=LEASE_MS)
        return self

    def renew(self) -> bool:
        """Prolongs the lease, taking it again where Redis lost it; False when another has it."""
        if self._client.get(self._key) == self._value.encode():
            return bool(self._client.pexpire(self._key, LEASE_MS))
        return self._take()

    def release(self) -> None:
        """Gives the name back."""
        if self._client.get(self._key) == self._value.encode():
            self._client.delete(self._key)

    def _take(self) -> bool:
        return bool(self._client.set(self._key, self._value, nx=True, px=LEASE_MS))

    def _holder(self) -> dict[str, Any] | None:
        value = self._client.get(self._key)
        return json.loads(value) if isinstance(value, bytes) else None


def is_held(client: redis.Redis, worker: str) -> bool:
    """A worker of that name runs, or died less than ``LEASE_MS`` ago."""
    return bool(client.exists(lease_key(worker)))


def holders(client: redis.Redis, asked: str) -> list[str]:
    """Return the workers that run, sorted: of those that ever reported, and of ``asked``.

    Args:
        client: a Redis client that answers bytes.
        asked: one that may not have reported yet.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    known = {name.decode() for name in cast(set[bytes], client.smembers(WORKERS))}
    return sorted(name for name in known | {asked} if is_held(client, name))


def _is_alive(holder: dict[str, Any]) -> bool:
    """False only for a process of this machine that is gone (or whose number is now ours)."""
    if holder["host"] != socket.gethostname():
        return True
    if holder["pid"] == os.getpid():
        return False
    try:
        os.kill(holder["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True

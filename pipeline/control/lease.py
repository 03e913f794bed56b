"""A lease on a name, a worker's or a bridge's: a key in Redis that its holder keeps alive."""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import redis

from mirante.keys import PROBE, WORKERS, lease_key
from pipeline.control.entries import Desired
from pipeline.control.process_identity import is_alive, own_identity

MAIN = "main"  # a worker that was given no other name
LEASE_MS = 10_000
RENEW_S = 3.0
_DRIFT_S = 1.0  # how exactly clocks agree on the end of another's lease
_FOR_EVER = -1  # PTTL of a key that does not expire

_TAKE = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] and holder ~= ARGV[3] then return holder end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


class LeaseTakenError(RuntimeError):
    """Another live worker, or bridge, has the name."""


class Lease:
    """Holds a key that says who has a name. ``take`` is to be called every ``RENEW_S`` seconds.

    A holder that died is replaced at once where that can be seen: on its own machine, within its
    own PID namespace. Elsewhere it is after ``LEASE_MS``, when its lease ends.

    Args:
        client: a Redis client that answers bytes.
        key: of the lease.
        whose: the name, in words: ``worker "main"``.
        named_by: what gives it another name, in words.
        lasts_ms: how long it holds without being renewed.

    Attributes:
        value: what the key holds while this process has the name.
        holder: who has the name, in words, as ``take`` saw it last.
    """

    def __init__(
        self,
        client: redis.Redis,
        key: str,
        whose: str,
        named_by: str,
        lasts_ms: int | None = None,
    ) -> None:
        self._client, self._lasts_ms = client, lasts_ms
        self._key, self._whose, self._named_by = key, whose, named_by
        self._watched: tuple[bytes, float] | None = None
        self.holder = ""
        self.value = json.dumps(
            {
                "host": socket.gethostname(),
                "pid": os.getpid(),
                "token": secrets.token_hex(8),
                **own_identity(),
            }
        )

    def acquire(self) -> bool:
        """Take the name at the start; to be called again soon while it answers False.

        It does while another has the name who may be dead: a live one is known by its renewing.

        Raises:
            LeaseTakenError: a live worker has it.
            redis.RedisError: Redis does not answer.
        """
        other = self._take()
        if other is None:
            return True
        asked_s = time.monotonic()
        left_ms = self._client.pttl(self._key)
        answered_s = time.monotonic()
        # It ends so long after a moment between the two: at the latest the first time, and at the
        # earliest now, as an answer that was long in coming is no renewal.
        first, first_free_s = self._watched = self._watched or (other, answered_s + left_ms / 1000)
        is_later = asked_s + left_ms / 1000 > first_free_s + _DRIFT_S
        is_renewed = other != first or is_later or left_ms == _FOR_EVER
        if _alive(other) or is_renewed:
            raise LeaseTakenError(
                f"{self._whose} runs already: {self.holder}; stop it, or give this one "
                f"another name ({self._named_by}). The name of one that died elsewhere is free "
                f"{LEASE_MS // 1000} s later"
            )
        return False

    def take(self) -> bool:
        """Take the name, or prolong having it, also where Redis lost it; False: another has it.

        Raises:
            redis.RedisError: Redis does not answer.
        """
        return self._take() is None

    def release(self) -> None:
        """Gives the name back."""
        self._client.eval(_RELEASE, 1, self._key, self.value)

    def _take(self, dead: bytes = b"") -> bytes | None:
        """The value of another's lease; None where the name is ours now."""
        answer = self._client.eval(
            _TAKE, 1, self._key, self.value, self._lasts_ms or LEASE_MS, dead
        )
        if not isinstance(answer, bytes):
            return None
        self.holder = _words(_read(answer))
        return answer if dead or _alive(answer) is not False else self._take(answer)


class WorkerLease(Lease):
    """Holds ``mirante:worker:<name>``."""

    def __init__(self, client: redis.Redis, worker: str) -> None:
        super().__init__(client, lease_key(worker), f'worker "{worker}"', 'key "worker"')
        self._worker = worker

    def is_held(self) -> bool:
        """Return whether anybody has the name; where nobody could take it there is no answer.

        Raises:
            redis.RedisError: Redis does not answer, or refuses writes.
        """
        self._client.rpushx(PROBE, "")
        return is_held(self._client, self._worker)


def is_held(client: redis.Redis, worker: str) -> bool:
    """A worker of that name runs, or died less than ``LEASE_MS`` ago."""
    return bool(client.exists(lease_key(worker)))


def is_left(client: redis.Redis, camera: Desired | None) -> bool:
    """Return whether a camera is of the file of a worker that does not run."""
    if camera is None or camera.origin != "config":
        return False
    return not is_held(client, camera.worker)


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


def not_running(worker: str, running: Sequence[str]) -> str:
    """Return in words that a worker is not running, and which ones are."""
    names = " and ".join(f'"{name}"' for name in running) or "no worker"
    return f'worker "{worker}" is not running; {names} {"are" if len(running) > 1 else "is"}'


def usual(running: Sequence[str], cameras: Iterable[Desired] = ()) -> str:
    """Return the worker of a camera that names none: the only one of those that run, else main.

    Of the workers of one machine's GPUs, ``main-0``, ``main-1`` …, where these alone run, it is the
    one that has the fewest of ``cameras``.
    """
    if len(running) == 1:
        return running[0]
    families = {family(name) for name in running}
    if len(families) != 1 or families & set(running):
        return MAIN
    given = Counter(entry.worker for entry in cameras)
    return min(running, key=lambda name: given[name])


def family(worker: str) -> str:
    """Return what the workers of one machine's GPUs are called alike: ``main`` of ``main-1``."""
    return re.sub(r"-\d+$", "", worker)


def _read(value: bytes) -> Mapping[str, Any]:
    """A holder; an earlier version says no identity, and one that is no worker says nothing."""
    try:
        holder = json.loads(value)
    except ValueError:
        return {}
    return holder if isinstance(holder, dict) else {}


def _words(holder: Mapping[str, Any]) -> str:
    return f"process {holder.get('pid', '?')} on {holder.get('host', 'an unknown host')}"


def _alive(value: bytes) -> bool | None:
    """Whether the holder runs; None where that cannot be told from here."""
    holder = _read(value)
    return is_alive(holder.get("pid"), holder)

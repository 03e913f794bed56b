"""A worker's hold on its name: waited for, held, lost to another worker, and had again."""

from __future__ import annotations

import logging
import time
from enum import Enum

import redis

from mirante.keys import lease_key
from pipeline.control import lease
from pipeline.control.versioned import Version, read_version
from plugins.outbox.fence import Tenure

log = logging.getLogger(__name__)

SPARE_S = lease.RENEW_S + 2.0  # in which a holder that lives has renewed, or tried anew
STANDBY_STATE = "standby"
STANDBY_REASON = "another worker runs this name"


class Standing(Enum):
    """The standing of a worker, in words.

    ``NEW``: Redis was not reached yet; cameras run all the same. ``WAITING``: another process had
    the name, and may be dead. ``HELD``: the cameras are this worker's. ``STANDBY``: another's.
    """

    NEW = "not asked yet"
    WAITING = "waiting: a worker of this name may run elsewhere"
    HELD = "held"
    STANDBY = f"{STANDBY_STATE}: {STANDBY_REASON}"

    @property
    def why_not_ready(self) -> str:
        """Return why a worker that stands so is not ready; empty where it may be."""
        return self.value if self in (Standing.WAITING, Standing.STANDBY) else ""


class Tenancy:
    """Follows a worker's lease. Used by its main thread alone, but for ``tenure``.

    A name that is free once Redis answers again need not be anybody's to take: an outage ends the
    lease of a holder that lives, which has the results of that time and comes back for it; so does
    a Redis that lost its data, which the version of the cameras tells. One that stands by leaves
    such a name free for ``SPARE_S``.

    Args:
        client: of Redis.
        worker: the name.
        standby: where another worker has the name at the start, stand by instead of giving up.

    Attributes:
        standing: as of the last ``poll``.
        tenure: what its sender looks at before it claims cameras.
    """

    def __init__(self, client: redis.Redis, worker: str, standby: bool = False) -> None:
        self._client = client
        self._lease = lease.WorkerLease(client, worker)
        self._standby = standby
        self._due_s = 0.0
        self._spared_s = float("-inf")  # until when a name that is free is left to its holder
        self._seen: Version | None = None
        self.standing = Standing.NEW
        self.tenure = Tenure(worker, lease_key(worker), self._lease.value)

    def poll(self) -> Standing:
        """Take or prolong the name, when it is time: at once where it is not held, or in doubt.

        Raises:
            LeaseTakenError: another worker had the name when this one started.
            redis.RedisError: Redis does not answer; the standing stays as it was.
        """
        now_s = time.monotonic()
        if self.standing is Standing.HELD and now_s < self._due_s and not self.tenure.doubted:
            return self.standing
        try:
            before, self.standing = self.standing, self._ask()
        except redis.RedisError:
            self._spare()
            raise
        self._due_s, self.tenure.doubted = now_s + lease.RENEW_S, False
        if self.standing is not before:
            self._say(before)
        return self.standing

    def release(self) -> None:
        """Give the name back.

        Raises:
            redis.RedisError: Redis does not answer.
        """
        self._lease.release()

    def _ask(self) -> Standing:
        if self.standing in (Standing.NEW, Standing.WAITING) and not self._standby:
            return Standing.HELD if self._lease.acquire() else Standing.WAITING
        if self.standing is Standing.STANDBY and self._is_spared():
            return Standing.STANDBY
        return Standing.HELD if self._lease.take() else Standing.STANDBY

    def _is_spared(self) -> bool:
        """Return whether the name is free, and its holder had no chance yet to come back for it."""
        version = read_version(self._client)
        if self._seen is not None and version.lost_since(self._seen):
            self._spare()
        self._seen = version
        if time.monotonic() >= self._spared_s:
            return False
        if self._lease.is_held():
            self._spared_s = float("-inf")
            return False
        return True

    def _spare(self) -> None:
        self._spared_s = time.monotonic() + SPARE_S

    def _say(self, before: Standing) -> None:
        if self.standing is not Standing.HELD:
            log.warning("%s (%s)", self.standing.value, self._lease.holder)
        elif before is not Standing.NEW:
            log.warning("the name is free: this worker runs its cameras")

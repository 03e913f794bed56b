"""The cameras of the fleet as the registry has them, read as far as it changed."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

import redis

from pipeline.control.entries import Desired
from pipeline.control.memory import FOREIGN_S
from pipeline.control.registry import Place, Registry
from pipeline.control.versioned import Known, read, read_since, read_version


class Change(Enum):
    """What was read."""

    NONE = "nothing, as nothing changed"
    SOME = "what changed"
    ALL = "all"


class Followed:
    """Follows the cameras of the fleet: what did not change is not read again.

    Args:
        client: a Redis client that answers bytes.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._known: Known | None = None

    @property
    def entries(self) -> Mapping[str, Desired]:
        """The cameras by name, as they were read last."""
        return {} if self._known is None else self._known.entries

    def follow(self) -> Change:
        """Read what changed.

        Raises:
            redis.RedisError: Redis does not answer.
        """
        now, known = read_version(self._client), self._known
        if known is not None and now == known.version:
            return Change.NONE
        if known is not None:
            found = read_since(self._client, known.version, known.token, now)
            if found is not None:
                changed, token = found
                kept = {name: e for name, e in known.entries.items() if name not in changed}
                new = {name: e for name, e in changed.items() if e and e.fleet}
                self._known = Known(now, kept | new, token)
                return Change.SOME
        version, entries, token_now = read(self._client)
        if not version.is_whole:
            return Change.NONE
        of_fleet = {name: entry for name, entry in entries.items() if entry.fleet}
        self._known = Known(version, of_fleet, token_now)
        return Change.ALL


class Cameras(Followed):
    """Follows the registry for a keeper.

    What Redis lost workers put back, each its own. What is still missing after a while no worker
    had, or one that is gone: it is put back here.

    Args:
        client: a Redis client that answers bytes.
        registry: by which cameras are given to workers.
    """

    def __init__(self, client: redis.Redis, registry: Registry) -> None:
        super().__init__(client)
        self._registry = registry
        self._lost: dict[str, Desired] = {}
        self._lost_s = 0.0

    def read(self, alive: frozenset[str], now_s: float) -> Change:
        """Read what changed.

        Args:
            alive: workers, which put back their own.
            now_s: by the keeper's clock.

        Raises:
            redis.RedisError, RegistryError: as of the registry.
        """
        if self._lost and now_s - self._lost_s > FOREIGN_S:
            self._put_back(alive)
        before = self._known
        found = self.follow()
        now = self._known
        if before and now and now.version.lost_since(before.version) and not self._lost:
            self._lost, self._lost_s = dict(before.entries), now_s
        return found

    def assign(self, places: Mapping[str, Place]) -> dict[str, Desired]:
        """Give cameras to workers; return those that have another place now, as they were.

        Raises:
            redis.RedisError, RegistryError: as of the registry.
        """
        before, after = self._registry.assign(places, self._known)
        if after is None:
            self.follow()
        else:
            self._known = after
        return before

    def _put_back(self, alive: frozenset[str]) -> None:
        lost, self._lost = self._lost, {}
        missing = {n: e for n, e in lost.items() if n not in self.entries and e.worker not in alive}
        if missing:
            self._registry.put_back(missing)

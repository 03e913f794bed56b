"""What the servers of Redis do, and how many more cameras they take."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis

from mirante.servers.cluster import Cluster
from pipeline.control.room import KEPT, KEPT_MEMORY, Fit, fit

EVERY_S = 10.0
WINDOW_S = 60.0


@dataclass(frozen=True, slots=True)
class Used:
    """What one server did up to a moment.

    Attributes:
        at_s: the moment, on ``time.monotonic``.
        cpu_s: processor time.
        commands: that it carried out, those inside scripts too.
        read_bytes, written_bytes: what it was sent, and answered.
        memory_bytes, most_bytes: that it holds now, and may hold; 0 without a limit.
    """

    at_s: float
    cpu_s: float
    commands: int
    read_bytes: int
    written_bytes: int
    memory_bytes: int
    most_bytes: int

    def since(self, before: Used) -> Used:
        """Return what it did since; ``at_s`` are the seconds that passed."""
        return Used(
            self.at_s - before.at_s,
            self.cpu_s - before.cpu_s,
            self.commands - before.commands,
            self.read_bytes - before.read_bytes,
            self.written_bytes - before.written_bytes,
            self.memory_bytes,
            self.most_bytes,
        )


def used(client: redis.Redis) -> list[Used]:
    """Ask each server what it did.

    Raises:
        redis.RedisError: one does not answer, or does not tell this client.
    """
    servers = list(client.primaries().values()) if isinstance(client, Cluster) else [client]
    return [_used(each.info("all")) for each in servers]


def _used(facts: dict[str, Any]) -> Used:
    return Used(
        time.monotonic(),
        float(facts["used_cpu_sys"]) + float(facts["used_cpu_user"]),
        int(facts["total_commands_processed"]),
        int(facts["total_net_input_bytes"]),
        int(facts["total_net_output_bytes"]),
        int(facts["used_memory"]),
        int(facts["maxmemory"]),
    )


class RedisRoom:
    """Follows, over the last minute, what a camera costs Redis.

    A server has one thread for commands, so one core is its ceiling; cameras are spread evenly over
    the servers of a cluster.

    Args:
        client: of Redis.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._marks: list[list[Used]] = []
        self._due_s = 0.0
        self._said: Fit | None = None

    def more(self, cameras: int) -> Fit | None:
        """Return how many more cameras it takes; None until that was measured.

        Args:
            cameras: that publish now.

        Raises:
            redis.RedisError: as ``used``.
        """
        if time.monotonic() < self._due_s:
            return self._said
        self._due_s = time.monotonic() + EVERY_S
        now = used(self._client)
        kept = [each for each in self._marks if now[0].at_s - each[0].at_s <= WINDOW_S]
        self._marks = [*(each for each in kept if len(each) == len(now)), now]
        self._said = self._reckoned(cameras)
        return self._said

    def _reckoned(self, cameras: int) -> Fit | None:
        first, last = self._marks[0], self._marks[-1]
        if not cameras or last[0].at_s <= first[0].at_s:
            return None
        fits = [
            found
            for before, now in zip(first, last, strict=True)
            if (found := fit_in(now.since(before), cameras / len(last))) is not None
        ]
        fullest = min(fits, key=lambda found: found.more, default=None)
        return fullest and Fit(fullest.more * len(last), fullest.limited_by)


def fit_in(use: Used, cameras: float) -> Fit | None:
    """Return how many more cameras one server takes.

    Args:
        use: what it did for a while.
        cameras: that publish to it.
    """
    busy = use.cpu_s / use.at_s
    left = {"Redis's processor": 1 - KEPT - busy}
    each = {"Redis's processor": busy / cameras, "Redis's memory": use.memory_bytes / cameras}
    if use.most_bytes:
        left["Redis's memory"] = (1 - KEPT_MEMORY) * use.most_bytes - use.memory_bytes
    return fit(left, each)


def total(uses: Sequence[Used]) -> Used:
    """Return what servers did together, in the time of the first."""
    return Used(
        uses[0].at_s,
        *(
            sum(getattr(use, name) for use in uses)
            for name in (
                "cpu_s",
                "commands",
                "read_bytes",
                "written_bytes",
                "memory_bytes",
                "most_bytes",
            )
        ),
    )

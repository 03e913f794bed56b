"""Processor time, memory and counts over a while."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpx
import psutil
import redis

from mirante.keys import key


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures measured over a period.

    Attributes:
        hub, redis, cameras: CPU of their processes, percent of one core.
        rss: memory of the hub at the end, bytes.
        pages: that were open.
        sent, skipped, bytes: images and bytes of all pages, per second.
        published: images that the cameras published, per second.
        listeners: of all preview channels together.
    """

    hub: float
    redis: float
    cameras: float
    rss: int
    pages: int
    sent: float
    skipped: float
    bytes: float
    published: float
    listeners: int


class Meter:
    """Reads the processes and the counters.

    Args:
        url: of the dashboard.
        client: of its Redis.
        processes: the dashboard, Redis and the cameras.
        cameras: their names.
    """

    def __init__(
        self,
        url: str,
        client: redis.Redis,
        processes: tuple[psutil.Process, psutil.Process, psutil.Process],
        cameras: list[str],
    ) -> None:
        self._url = url
        self._client = client
        self._processes = processes
        self._channels = [key(name, "preview") for name in cameras]

    def over(self, seconds: float) -> Figures:
        """Waits, and says what happened meanwhile."""
        began_s, cpu, before = time.monotonic(), self._cpu(), self._counts()
        time.sleep(seconds)
        passed_s = time.monotonic() - began_s
        after = self._counts()
        hub, server, cameras = (
            (now - then) / passed_s * 100 for now, then in zip(self._cpu(), cpu, strict=True)
        )
        rate = {name: (after[name] - before[name]) / passed_s for name in before}
        return Figures(
            hub,
            server,
            cameras,
            self._processes[0].memory_info().rss,
            int(after["pages"]),
            rate["pictures_sent"],
            rate["pictures_skipped"],
            rate["bytes_sent"],
            rate["published"],
            sum(count for _, count in self._client.pubsub_numsub(*self._channels)),
        )

    def _cpu(self) -> list[float]:
        return [sum(process.cpu_times()[:2]) for process in self._processes]

    def _counts(self) -> dict[str, float]:
        answer = httpx.get(f"{self._url}/api/v1/system", timeout=10).raise_for_status().json()
        stats: dict[str, Any] = self._client.info("commandstats")
        names = ("pages", "pictures_sent", "pictures_skipped", "bytes_sent")
        counts = {name: float(answer["dashboard"][name]) for name in names}
        return counts | {"published": float(stats.get("cmdstat_publish", {"calls": 0})["calls"])}


def percentiles(values: Iterable[float]) -> tuple[float, float]:
    """p50 and p95; zeros of nothing."""
    ordered = sorted(values) or [0.0]
    p50, p95 = (ordered[int(share * (len(ordered) - 1))] for share in (0.5, 0.95))
    return p50, p95

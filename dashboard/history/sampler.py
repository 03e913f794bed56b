"""Looks at Redis once a second, and remembers what cameras did."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import redis.asyncio

from dashboard.history.described import describe
from dashboard.history.newest import Look, Newest, look
from dashboard.history.track import Account, Track
from dashboard.redis_clients import async_client
from mirante.backoff import Backoff
from mirante.outage import Outage
from mirante.redis_url import RedisUrl
from pipeline.control.entries import Desired
from pipeline.control.reports import WorkerReport

log = logging.getLogger(__name__)

PERIOD_S = 1.0
KEPT_S = 60.0  # a camera that left: Redis may have lost its data, and the worker puts it back
# Differ with each sample; no news by themselves.
LIVELY = ("counts", "rate", "latency_ms", "sleep", "cpu_percent")


class Sampler:
    """The cameras as of the last second, and their last 15 minutes; never raises for Redis.

    Belongs to one event loop; ``describe`` and ``nudge`` may be called on other threads.

    Args:
        url: address of Redis.

    Attributes:
        connected: Redis answered last time.
        words: why not, without secrets; empty when it did.
        refused: why Redis takes no writes though it answers, likewise.
    """

    def __init__(self, url: RedisUrl) -> None:
        self.connected = False
        self.words = ""
        self.refused = ""
        self._url = url
        self._outage = Outage(url, log, "trying again")
        self._look: Look | None = None
        self._tracks: dict[str, Track] = {}
        self._gone_s: dict[str, float] = {}
        self._cameras: list[dict[str, Any]] = []
        self._told = (self.connected, self.words, self.refused)
        self._news = asyncio.Event()
        self._nudged = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._backoff = Backoff(0.25, 2.0)

    async def run(self) -> None:
        """Samples until cancelled."""
        self._loop = asyncio.get_running_loop()
        client = async_client(self._url)
        due_s = time.monotonic()
        try:
            while True:
                await self._read(client)
                if time.monotonic() >= due_s:
                    due_s = max(due_s + PERIOD_S, time.monotonic())
                    for track in self._tracks.values():
                        track.record(time.time(), self.connected)
                self._tell()
                await self._pause(due_s)
        finally:
            await client.aclose()

    def cameras(self) -> list[dict[str, Any]]:
        """Every camera that is configured, sorted by name, as the API describes it."""
        return self._cameras

    def wanted(self) -> Mapping[str, Desired]:
        """Return the registry as it was when Redis was reached last."""
        return self._look.wanted if self._look else {}

    def describe(self, desired: Desired) -> dict[str, Any]:
        """Describe one camera as the API does, also one that was just added."""
        seen = self._look
        newest = seen.newest.get(desired.name, Newest()) if seen else Newest()
        words = self.refused if self.connected else self.words
        track = self._tracks.get(desired.name)
        if track is None or track.added != desired.added:  # it has not been sampled yet
            track = Track(desired.added)
        return describe(desired, track.own(newest), track, seen, words)

    def history(self, camera: str, seconds: int) -> dict[str, Any]:
        """Return columns of up to that many samples, one a second; a missing value is NaN."""
        return (self._tracks.get(camera) or Track()).history(seconds)

    def reports(self) -> Mapping[str, WorkerReport]:
        """Return the workers' reports by name; none while Redis is away."""
        return self._look.reports if self._look and self.connected else {}

    async def change(self) -> None:
        """Waits until a camera is added, changed or removed, its state changes, or Redis comes or
        goes. Numbers that every sample changes are no change.
        """
        await self._news.wait()

    def nudge(self) -> None:
        """Looks at once: something was changed. Safe between threads."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._nudged.set)

    async def _read(self, client: redis.asyncio.Redis) -> None:
        try:
            found = await self._whole(client)
        except Exception as error:  # noqa: BLE001 - pages are told, and the next may go better
            self.connected, self.words, self.refused = False, self._outage.failed(error), ""
            self._look = self._look and replace(self._look, refused=None)
            return
        if found.refused is None:
            self._outage.served()
            self.refused = ""
        else:
            self.refused = self._outage.failed(found.refused)
        self.connected, self.words, self._look = True, "", found
        self._backoff.reset()
        self._note(found)

    async def _whole(self, client: redis.asyncio.Redis) -> Look:
        """Read in one round trip, and in another if it found cameras or workers not yet known."""
        before = self._look
        cameras = list(before.wanted) if before else []
        workers = sorted(before.workers) if before else []
        found = await look(client, cameras, workers)
        if set(found.wanted) <= set(cameras) and found.workers <= set(workers):
            return found
        return await look(client, list(found.wanted), sorted(found.workers))

    def _note(self, found: Look) -> None:
        now_s = time.monotonic()
        for name, desired in found.wanted.items():
            self._gone_s.pop(name, None)
            newest = found.newest.get(name, Newest())
            track = self._tracks.get(name)
            if track is None or track.added != desired.added:
                track = self._tracks[name] = Track(desired.added, newest)
            track.note(newest, _reported(found, desired))
        for name in self._tracks.keys() - found.wanted.keys():
            if now_s - self._gone_s.setdefault(name, now_s) >= KEPT_S:
                del self._tracks[name], self._gone_s[name]

    def _tell(self) -> None:
        before = _quiet(self._cameras)
        wanted = self._look.wanted.values() if self._look else ()
        self._cameras = [self.describe(desired) for desired in wanted]
        state = (self.connected, self.words, self.refused)
        if _quiet(self._cameras) != before or state != self._told:
            self._told = state
            self._news.set()
            self._news = asyncio.Event()

    async def _pause(self, due_s: float) -> None:
        wait_s = due_s - time.monotonic() if self.connected else self._backoff.next_s()
        try:
            await asyncio.wait_for(self._nudged.wait(), max(0.0, wait_s))
        except TimeoutError:
            return
        self._nudged.clear()


def _reported(found: Look, desired: Desired) -> Account | None:
    report = found.reports.get(desired.worker)
    camera = report.cameras.get(desired.name) if report else None
    if report is None or camera is None or camera.counts is None:
        return None
    return Account(report.at, camera.counts)


def _quiet(cameras: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in camera.items() if k not in LIVELY} for camera in cameras]

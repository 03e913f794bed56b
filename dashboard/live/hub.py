"""All pages, and what of Redis they want to see."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from dashboard.access.identity import Identity
from dashboard.access.sight import seen_by
from dashboard.ending import end
from dashboard.live.bundle import Bundle
from dashboard.live.page import Page, version
from dashboard.live.redis_feed import RedisFeed
from dashboard.live.stats import Stats
from mirante.redis_url import RedisUrl

if TYPE_CHECKING:
    from dashboard.history.sampler import Sampler

log = logging.getLogger(__name__)

NEWS_S = 1.0
VALID_EVERY = 5  # news between two looks at whether a page may still look
PAGES_MOST = 256
POLICY, BUSY, NOT_VALID = 1008, 1013, 4401  # WebSocket close codes; the last is of our own


class Hub:
    """Brings frames to the pages that watch their camera, and the state of cameras to all.

    Args:
        url: address of Redis.
        sampler: knows the cameras.
    """

    def __init__(self, url: RedisUrl, sampler: Sampler) -> None:
        self._counted = Stats()
        self._version = version()  # when the server begins: files may be replaced while it runs
        self._sampler = sampler
        self._feed = RedisFeed(url, self._give)
        self._pages: set[Page] = set()

    @property
    def stats(self) -> Stats:
        """Return what was sent so far."""
        self._counted.pages = len(self._pages)
        self._counted.unpaired = self._feed.unpaired
        return self._counted

    async def run(self) -> None:
        """Follows Redis until cancelled."""
        await self._feed.run()

    async def serve(self, socket: WebSocket, who: Identity, valid: Callable[[], bool]) -> None:
        """Serve one page from its connection to its end.

        Args:
            socket: not yet accepted.
            who: asks, and may view.
            valid: whether that still holds.
        """
        if len(self._pages) >= PAGES_MOST:
            await socket.close(BUSY, f"{PAGES_MOST} pages are open already")
            return
        await socket.accept()
        page = Page(socket, self._counted, who.sees)
        self._pages.add(page)
        work = [page.send(), self._listen(page), self._tell(page, who, valid)]
        tasks = [asyncio.ensure_future(part) for part in work]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._pages.discard(page)
            self._follow()
            for ended in await end(tasks):
                if isinstance(ended, Exception) and not _is_gone(ended):
                    log.error("a page's connection failed", exc_info=ended)
            await page.close(POLICY, "")

    def _give(self, bundle: Bundle) -> None:
        for page in self._pages:
            page.offer(bundle)

    def _follow(self) -> None:
        """Follow only existing cameras: each name costs, and a page may send any."""
        wanted = frozenset().union(*(page.watching for page in self._pages))
        self._feed.watch(wanted & {camera["name"] for camera in self._sampler.cameras()})

    async def _listen(self, page: Page) -> None:
        while True:
            try:
                if await page.receive():
                    self._follow()
            except (ValueError, TypeError) as error:
                await page.close(POLICY, str(error)[:120])
                return

    async def _tell(self, page: Page, who: Identity, valid: Callable[[], bool]) -> None:
        """The version of the page's files; then the cameras at once and every second, and Redis,
        until the page may no longer look.
        """
        turn = 0
        page.tell({"type": "page", "version": self._version})
        while True:
            if turn % VALID_EVERY == 0 and not await asyncio.to_thread(valid):
                await page.close(NOT_VALID, "the session has ended; log in again")
                return
            page.tell({"type": "redis", **self._redis()})
            page.tell({"type": "cameras", "cameras": seen_by(who, self._sampler.cameras())})
            self._follow()
            turn += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(self._sampler.change(), NEWS_S)

    def _redis(self) -> dict[str, Any]:
        sampler = self._sampler
        facts = {"connected": sampler.connected, "words": sampler.words}
        return facts | {"refused": sampler.refused}


def _is_gone(error: Exception) -> bool:
    """The page went away, which is no failure; sending then raises one of these."""
    return isinstance(error, WebSocketDisconnect | OSError) or (
        isinstance(error, RuntimeError)
        and any(words in str(error).lower() for words in ("websocket", "close message"))
    )

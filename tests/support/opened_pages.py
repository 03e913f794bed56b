"""Pages in browser profiles of their own, and what they complain about."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page

TIMEOUT_MS = 45_000  # two noisy cores
DESKTOP = {"width": 1440, "height": 900}


class Pages:
    """Opens pages, each in a browser profile of its own, and hears what they complain about.

    Attributes:
        allowed: patterns of complaints that the test causes itself.
    """

    def __init__(self, browser: Browser) -> None:
        self.allowed: list[str] = []
        self._browser = browser
        self._complaints: list[str] = []

    def open(self, url: str, **options: Any) -> Page:
        context = self._browser.new_context(**{"viewport": DESKTOP, **options})
        context.set_default_timeout(TIMEOUT_MS)
        context.on("page", self._hear)
        page = context.new_page()
        page.goto(url, wait_until="domcontentloaded")
        return page

    def complaints(self) -> list[str]:
        """What was not allowed."""
        return [
            one
            for one in self._complaints
            if not any(re.search(pattern, one) for pattern in self.allowed)
        ]

    def close(self) -> None:
        """Close all pages; a route handler that still runs is left to fail unheard."""
        for context in self._browser.contexts:
            for page in context.pages:
                page.unroute_all(behavior="ignoreErrors")
            context.unroute_all(behavior="ignoreErrors")
            context.close()

    def _hear(self, page: Page) -> None:
        def hear(message: ConsoleMessage) -> None:
            if message.type in {"error", "warning"}:  # a breach of the CSP is an error
                self._complaints.append(f"{message.text} ({message.location.get('url')})")

        page.on("console", hear)
        page.on("pageerror", lambda error: self._complaints.append(f"not caught: {error}"))

"""Pages in browser profiles of their own, and what they complain about."""

from __future__ import annotations

import re
from itertools import chain
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize

TIMEOUT_MS = 45_000  # two noisy cores
DESKTOP: ViewportSize = {"width": 1440, "height": 900}
CALM = "#/events"  # of the dashboard: shows no live image
_CLEAR = "try { localStorage.clear(); sessionStorage.clear(); } catch { /* a page of no origin */ }"

# The dashboard as it is when it was just loaded, but for what it asks for once.
_AS_LOADED = """async hash => {
  location.hash = hash;
  localStorage.clear();
  const { draft } = await import("/static/form/form_draft.js");
  draft.values = null;
}"""


class Pages:
    """Opens pages and hears what they complain about.

    A page is in a profile of its own. One that a test has left is emptied and given to the next
    test, which loads its address anew: that takes half of what a new profile takes.

    Attributes:
        allowed: patterns of complaints that the test causes itself.
    """

    def __init__(self, browser: Browser) -> None:
        self.allowed: list[str] = []
        self._browser = browser
        self._complaints: list[str] = []
        self._used: list[tuple[str, Page]] = []
        self._idle: dict[str, list[Page]] = {}

    def open(self, url: str, *, viewport: Any = DESKTOP, **options: Any) -> Page:
        """Return a page of a viewport that shows an address; ``options``: of its profile."""
        kind = repr(sorted(options.items()))
        idle = self._idle.setdefault(kind, [])
        page = idle.pop() if idle else self._new(viewport, options)
        self._used.append((kind, page))
        page.set_viewport_size(viewport)
        page.goto(url, wait_until="domcontentloaded")
        return page

    @property
    def shown(self) -> list[Page]:
        """Pages that were opened and not left."""
        return [page for _, page in self._used]

    def complaints(self) -> list[str]:
        """What was not allowed."""
        return [
            one
            for one in self._complaints
            if not any(re.search(pattern, one) for pattern in self.allowed)
        ]

    def leave(self) -> None:
        """Empty all pages for the next test; a route handler that still runs fails unheard."""
        for kind, page in self._used:
            if page.is_closed() or page.context.pages != [page]:
                _close(page)
                continue
            _unroute(page)
            page.evaluate(_CLEAR)
            page.goto("about:blank")
            page.mouse.move(0, 0)
            page.context.clear_cookies()
            self._idle[kind].append(page)
        self._used.clear()
        self.forget()

    def keep(self) -> None:
        """Have all pages show no live image, for the next test, which finds them loaded."""
        for _, page in self._used:
            _unroute(page)
            page.set_viewport_size(DESKTOP)
            page.mouse.move(0, 0)
            page.evaluate(_AS_LOADED, CALM)
            if page.get_by_role("dialog").count():
                page.reload(wait_until="domcontentloaded")
        self.forget()

    def forget(self) -> None:
        """Forget all complaints, and what was allowed."""
        self._complaints.clear()
        self.allowed.clear()

    def close(self) -> None:
        """Close all pages."""
        for page in chain(self.shown, *self._idle.values()):
            _close(page)
        self._used.clear()
        self._idle.clear()

    def _new(self, viewport: Any, options: dict[str, Any]) -> Page:
        # Nobody watches what moves, and drawing it takes time.
        context = self._browser.new_context(viewport=viewport, reduced_motion="reduce", **options)
        context.set_default_timeout(TIMEOUT_MS)
        context.on("page", self._hear)
        return context.new_page()

    def _hear(self, page: Page) -> None:
        def hear(message: ConsoleMessage) -> None:
            if message.type in {"error", "warning"}:  # a breach of the CSP is an error
                self._complaints.append(f"{message.text} ({message.location.get('url')})")

        page.on("console", hear)
        page.on("pageerror", lambda error: self._complaints.append(f"not caught: {error}"))


def _unroute(page: Page) -> None:
    page.unroute_all(behavior="ignoreErrors")
    page.context.unroute_all(behavior="ignoreErrors")


def _close(page: Page) -> None:
    for each in page.context.pages:
        _unroute(each)
    page.context.close()

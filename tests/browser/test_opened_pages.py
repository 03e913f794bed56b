"""Pages that are closed while they work."""

from __future__ import annotations

import socket

from playwright.sync_api import Browser, Route

from tests.support.opened_pages import Pages


def test_a_page_is_closed_while_its_route_handler_waits(chromium: Browser) -> None:
    """Its failure would be raised in whatever uses the browser next: another test."""
    asked = []

    def fetch(route: Route) -> None:
        asked.append(route)
        route.fulfill(response=route.fetch())

    opened = Pages(chromium)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        page = opened.open("about:blank")
        page.route(address, fetch)
        page.evaluate("address => void fetch(address).catch(() => null)", address)
        while not asked:
            page.wait_for_timeout(20)
        opened.close()
        assert opened.open("about:blank").evaluate("1 + 1") == 2
    opened.close()

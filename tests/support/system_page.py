"""The page *System*, with workers that tell something else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, Route


def open_system(page: Page, change: Callable[[dict[str, Any]], None]) -> None:
    """Open the page anew.

    Args:
        page: of a browser, on any page of the dashboard.
        change: what is made of each worker that the API gives.
    """

    def told(route: Route) -> None:
        system = route.fetch().json()
        for worker in system["workers"]:
            change(worker)
        route.fulfill(json=system)

    page.unroute_all()
    page.route("**/api/v1/system", told)
    page.evaluate("location.hash = '#/events'")
    page.evaluate("location.hash = '#/system'")

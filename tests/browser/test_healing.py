"""Redis and the server go and come: the page continues by itself, and is never loaded again."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.support.canvas_pixels import next_frame
from tests.support.live_site import Site
from tests.support.opened_pages import Pages

CANVAS = '[data-camera="drawn"] canvas[data-seq]'
AWAY = (  # what the browser itself says of a server that is away
    r"WebSocket connection to .* failed",
    "Failed to load resource: (net::ERR|the server responded with a status of 503)",
)


def marked(pages: Pages, site: Site) -> Page:
    """A page with a mark that a reload would wipe off."""
    pages.allowed += AWAY
    page = pages.open(site.url)
    next_frame(page.locator(CANVAS))
    page.evaluate("window.mark = 'here since'")
    return page


def assert_it_went_on(page: Page) -> None:
    next_frame(page.locator(CANVAS))
    next_frame(page.locator(CANVAS))
    expect(page.locator(".notice")).to_have_count(0)
    assert page.evaluate("window.mark") == "here since", "it was loaded again"


def test_redis_restarts(pages: Pages, site: Site) -> None:
    page = marked(pages, site)
    site.kill_redis()
    assert_it_went_on(page)
    expect(page.locator('[data-camera="drawn"] .why')).to_have_count(0)


def test_the_server_restarts(pages: Pages, site: Site) -> None:
    page = marked(pages, site)
    site.kill_dashboard()
    assert_it_went_on(page)


def test_both_restart_while_the_camera_page_is_open(pages: Pages, site: Site) -> None:
    # Between Redis's start and the worker's word.
    pages.allowed.append(r"404 .*/(cameras|results)/drawn/")
    page = marked(pages, site)
    page.evaluate("location.hash = '#/camera/drawn'")
    canvas = page.locator("canvas.picture[data-seq]")
    next_frame(canvas)
    site.kill_dashboard()
    site.kill_redis()
    next_frame(canvas)
    assert page.evaluate("window.mark") == "here since"


def test_it_says_so_while_redis_is_away(pages: Pages, site: Site) -> None:
    page = marked(pages, site)
    site.freeze_redis(True)
    try:
        expect(page.locator(".notice")).to_contain_text("Redis")
    finally:
        site.freeze_redis(False)
    assert_it_went_on(page)

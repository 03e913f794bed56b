"""Redis and the server go and come: the page continues by itself, and is loaded again only by a
click after an update.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.support.canvas_pixels import next_frame
from tests.support.live_site import Site, until
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


@pytest.mark.full  # as both do, below
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


def test_a_part_that_is_not_loaded_comes_when_the_server_is_back(pages: Pages, site: Site) -> None:
    page = marked(pages, site)
    module = "**/static/form/camera_form.js*"
    page.route(module, lambda route: route.abort())
    page.get_by_role("button", name="Add a camera").first.click()
    expect(page.get_by_role("status").filter(has_text="not loaded yet")).to_be_visible()
    page.unroute(module)
    expect(page.get_by_role("dialog").get_by_label("Address")).to_be_focused()
    assert page.evaluate("window.mark") == "here since", "it was loaded again"


RENEWED = """async () => {
  const { live } = await import("/static/lib/live.js");
  live.version = "of before";
  live.socket.close();
}"""
OUTDATED = "async () => (await import('/static/lib/live.js')).live.isOutdated"


@pytest.mark.parametrize("by", ["a part", "a link"])
def test_after_an_update_a_page_is_loaded_anew_at_the_next_click(
    pages: Pages, site: Site, by: str
) -> None:
    page = marked(pages, site)
    page.evaluate(RENEWED)
    until(lambda: page.evaluate(OUTDATED), what="for the server's word")
    assert_it_went_on(page)
    add = page.get_by_role("button", name="Add a camera").first
    with page.expect_event("load"):
        (add if by == "a part" else page.get_by_role("link", name="System")).click()
    assert page.evaluate("window.mark === undefined")
    if by == "a part":
        add.click()
        expect(page.get_by_role("dialog").get_by_label("Address")).to_be_focused()
    else:
        expect(page.get_by_role("heading", name="1 worker")).to_be_visible()

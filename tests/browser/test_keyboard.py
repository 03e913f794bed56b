"""Pages without a mouse, and to those who do not see them."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.support import ROOT
from tests.support.canvas_pixels import next_frame, wait_in_page
from tests.support.live_site import Site
from tests.support.opened_pages import Pages

TABS_MOST = 60
ROUTES = {
    "wall": ("#/", "[data-camera] canvas[data-seq]"),
    "camera": ("#/camera/drawn", "canvas.picture[data-seq]"),
    "system": ("#/system", "main h2"),
    "events": ("#/events", "main .empty, main .event"),
}
SIZES: dict[str, ViewportSize] = {
    "desktop": {"width": 1440, "height": 900},
    "phone": {"width": 390, "height": 844},
}

BLUNDERS = (ROOT / "tests/support/blunders.js").read_text()
FOCUSED = (ROOT / "tests/support/focused.js").read_text()


def tab_to(page: Page, wanted: str) -> dict[str, Any]:
    """Presses Tab until what has the focus begins with a name."""
    for _ in range(TABS_MOST):
        page.keyboard.press("Tab")
        found: dict[str, Any] = page.evaluate(FOCUSED)
        if str(found["name"]).startswith(wanted):
            return found
    raise AssertionError(f"Tab does not reach {wanted}")


def test_tab_reaches_a_tile_and_enter_opens_it(pages: Pages, site: Site) -> None:
    page = pages.open(site.url)
    next_frame(page.locator('[data-camera="drawn"] canvas'))
    found = tab_to(page, "drawn")
    assert found["seen"]
    assert found["ringed"], "nothing shows where the focus is"
    page.keyboard.press("Enter")
    wait_in_page(page, "location.hash === '#/camera/drawn'")
    next_frame(page.locator("canvas.picture"))
    page.go_back()
    page.locator('[data-camera="drawn"]').wait_for()


def test_the_form_is_filled_and_left_by_keyboard(pages: Pages, site: Site) -> None:
    page = pages.open(site.url)
    next_frame(page.locator('[data-camera="drawn"] canvas'))
    tab_to(page, "Add a camera")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Address")).to_be_focused()
    page.keyboard.type("test://?fps=5")
    for _ in range(TABS_MOST):  # the focus stays in it
        page.keyboard.press("Tab")
        assert page.evaluate(
            "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        )
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert str(page.evaluate(FOCUSED)["name"]).startswith("Add a camera"), "the focus is lost"


@pytest.mark.parametrize("size", SIZES)
def test_pages_and_the_form_have_no_blunders(loaded: Page, size: str) -> None:
    page = loaded
    page.set_viewport_size(SIZES[size])
    for there, element in ROUTES.values():
        page.evaluate("route => { location.hash = route; }", there)
        page.locator(element).first.wait_for()
        assert page.evaluate(BLUNDERS) == [], there
    page.get_by_role("banner").get_by_role("button", name="Add a camera").click()
    expect(page.get_by_role("dialog").get_by_label("Address")).to_be_visible()
    assert page.evaluate(BLUNDERS) == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_blunders_are_found(pages: Pages, site: Site) -> None:
    """The tests above can fail."""
    page = pages.open(site.url)
    page.locator(ROUTES["wall"][1]).first.wait_for()
    wrong = '<button></button><img src="/static/icon.svg"><h1 id="app">two</h1>'
    page.locator("main").evaluate("(e, html) => e.insertAdjacentHTML('beforeend', html)", wrong)
    found = page.evaluate(BLUNDERS)
    assert [one.partition(":")[0] for one in found] == ["no name", "no alt", "id twice", "h1"]

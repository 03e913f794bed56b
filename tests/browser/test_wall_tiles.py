"""Many tiles, and what nobody looks at: not watched, not sent, not encoded."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from playwright.sync_api import Browser, Page

from mirante.keys import key
from tests.support.canvas_pixels import hide, next_frame, shoot, wait_in_page
from tests.support.live_site import DRAWN_SIZE, Site, simulated_site, until
from tests.support.opened_pages import Pages

ALL_SHOWN = "n => document.querySelectorAll('.tile canvas[data-seq]').length === n"
NUMBERS = """() => Object.fromEntries([...document.querySelectorAll('[data-camera]')].map(
  (tile) => [tile.dataset.camera, Number(tile.querySelector('canvas').dataset.seq)]))"""
FULL_HD = {"width": 1920, "height": 1080}
COUNT = 16


@pytest.fixture(scope="module")
def many(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A dashboard over cameras that only publish, as many as a wall shows."""
    del chromium
    with simulated_site(tmp_path_factory.mktemp("many")) as start:
        yield start(COUNT, fps=2)  # drawing and sending them is most of what these tests take


def all_go_on(page: Page, cameras: list[str]) -> None:
    """Every tile shows another frame than now."""
    before = page.evaluate(NUMBERS)
    assert sorted(before) == cameras
    later = f"before => Object.entries(({NUMBERS})()).every(([name, seq]) => seq > before[name])"
    wait_in_page(page, later, arg=before)


def test_all_tiles_show_frames(pages: Pages, many: Site) -> None:
    site = many
    page = pages.open(site.url, viewport=FULL_HD)
    wait_in_page(page, ALL_SHOWN, arg=COUNT)
    for _ in range(2):
        all_go_on(page, site.cameras)
    sizes = page.evaluate("[...document.querySelectorAll('.tile canvas')].map((c) => c.width)")
    assert min(sizes) > 200
    last = page.locator("[data-camera]").last.bounding_box()
    assert last is not None
    assert last["y"] + last["height"] <= FULL_HD["height"], "the wall does not fit the screen"
    assert site.listeners() == dict.fromkeys(site.cameras, 1)
    for tile in (0, COUNT - 1):
        shot = shoot(page.locator(".tile canvas").nth(tile))
        assert shot.number(*DRAWN_SIZE) == shot.seq % 50, "the image is of another frame"


def test_a_tile_off_screen_is_not_watched(pages: Pages, many: Site) -> None:
    site = many
    first, last = site.cameras[0], site.cameras[-1]
    page = pages.open(site.url, viewport={"width": 390, "height": 700})
    page.wait_for_selector(f'[data-camera="{first}"] canvas[data-seq]')
    until(lambda: site.listeners(first, last) == {first: 1, last: 0})
    page.locator(f'[data-camera="{last}"]').scroll_into_view_if_needed()
    until(lambda: site.listeners(first, last) == {first: 0, last: 1})
    page.wait_for_selector(f'[data-camera="{last}"] canvas[data-seq]')
    page.evaluate("scrollTo(0, 0)")
    until(lambda: site.listeners(first, last) == {first: 1, last: 0})


def test_a_hidden_tab_watches_nothing(pages: Pages, many: Site) -> None:
    nobody, one = dict.fromkeys(many.cameras, 0), {many.cameras[0]: 1}
    page = pages.open(f"{many.url}/#/camera/{many.cameras[0]}")
    shown = page.locator("canvas.picture")
    next_frame(shown)
    until(lambda: many.listeners() == nobody | one)
    hide(page, True)
    until(lambda: many.listeners() == nobody)
    hide(page, False)
    until(lambda: many.listeners() == nobody | one)
    next_frame(shown)


def test_two_pages_are_one_listener_and_the_last_to_go_ends_it(pages: Pages, many: Site) -> None:
    nobody, one = dict.fromkeys(many.cameras, 0), {many.cameras[0]: 1}
    opened = [pages.open(f"{many.url}/#/camera/{many.cameras[0]}") for _ in range(2)]
    shown = [page.locator("canvas.picture") for page in opened]
    for canvas in shown:
        next_frame(canvas)
    until(lambda: many.listeners() == nobody | one)
    opened[0].close()
    next_frame(shown[1])
    opened[1].evaluate("location.hash = '#/system'")
    until(lambda: many.listeners() == nobody)


def test_nothing_is_encoded_while_nobody_looks(pages: Pages, site: Site) -> None:
    """The real worker publishes an image to each channel that has a listener, and to no other."""
    until(lambda: site.listeners() == {"drawn": 0})
    page = pages.open(site.url)
    wait_in_page(page, ALL_SHOWN, arg=1)
    with site.client() as client:
        assert site.listeners() == {"drawn": 1}
        assert published(client, 12) > 0
    page.close()
    until(lambda: site.listeners() == {"drawn": 0})
    with site.client() as client:
        until(lambda: published(client, 12) == 0)


def published(client: redis.Redis, frames: int) -> int:
    """Images that were sent while the camera sent the results of so many frames."""

    def results() -> int:
        return int(client.xinfo_stream(key("drawn", "detections"))["entries-added"])

    def pictures() -> int:
        return int(client.info("commandstats").get("cmdstat_publish", {"calls": 0})["calls"])

    results_before, pictures_before = results(), pictures()
    until(lambda: results() - results_before >= frames)
    return pictures() - pictures_before

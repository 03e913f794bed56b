"""Zones and lines drawn on the page, and objects that walk through them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from pipeline.cameras.synthetic import truth
from tests.support import ROOT
from tests.support.canvas_pixels import next_frame
from tests.support.live_site import DRAWN_SIZE, Site, added, ask, until
from tests.support.opened_pages import Pages

BLUNDERS = (ROOT / "tests/support/blunders.js").read_text()
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
WIDTH, HEIGHT = DRAWN_SIZE
BLUE = 2  # of the synthetic camera's boxes: goes to and fro once in 4.5 s
FPS = 10
WALKED = {
    "url": f"test://?size={WIDTH}x{HEIGHT}&fps={FPS}",
    "stages": [{"model": "test-boxes"}, {"track": "bytetrack"}, {"zones": {}}],
    "preview": {"fps": 4},
}
# About the row of the blue box, whose foot is on its lower edge.
_FEET = float(truth(0, *DRAWN_SIZE)[0].xyxy[BLUE][3]) / HEIGHT
DOOR = [(0.3, _FEET - 0.1), (0.85, _FEET - 0.1), (0.85, _FEET + 0.08), (0.3, _FEET + 0.08)]


@pytest.fixture(scope="module")
def walked(site: Site) -> Iterator[str]:
    """A camera in which objects walk, and which tracks them."""
    with added(site, {"walked": WALKED}):
        yield "walked"


@pytest.fixture(autouse=True)
def _nothing_drawn(site: Site, walked: str) -> Iterator[None]:
    yield
    ask("PUT", f"{site.url}/api/v1/cameras/{walked}/zones", json={"zones": {}, "lines": {}})


def opened(pages: Pages, site: Site, camera: str, **options: Any) -> Page:
    pages.allowed.append("status of 429 .*/zones/preview")  # of a page before; it asks again
    page = pages.open(f"{site.url}/#/camera/{camera}", **options)
    next_frame(page.locator("canvas.picture"))
    return page


def shown(page: Page, pages: Pages, camera: str) -> Page:
    """The page that is loaded, at a camera."""
    pages.allowed.append("status of 429 .*/zones/preview")
    page.evaluate("name => { location.hash = `#/camera/${name}`; }", camera)
    next_frame(page.locator("canvas.picture"))
    return page


def press(surface: Locator, place: tuple[float, float], is_touch: bool = False) -> None:
    """Press one place of the image, in 0..1."""
    box = surface.bounding_box()
    assert box is not None
    x, y = box["x"] + place[0] * box["width"], box["y"] + place[1] * box["height"]
    (surface.page.touchscreen.tap if is_touch else surface.page.mouse.click)(x, y)


def drag(surface: Locator, way: list[tuple[float, float]]) -> None:
    box = surface.bounding_box()
    assert box is not None
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in way]
    mouse = surface.page.mouse
    mouse.move(*places[0])
    mouse.down()
    for place in places[1:]:
        mouse.move(*place)
    mouse.up()


def rules(site: Site, camera: str) -> dict[str, Any]:
    return dict(ask("GET", f"{site.url}/api/v1/cameras/{camera}/zones").json())


def entered(page: Page, zone: str) -> int:
    words = page.locator(f'[data-zone="{zone}"] dd').inner_text()
    found = re.search(r"(\d+) entered", words)
    return int(found[1]) if found else -1


def test_a_zone_is_drawn_with_the_mouse_and_counts_who_walks_through(
    loaded: Page, kept_pages: Pages, site: Site, walked: str
) -> None:
    page = shown(loaded, kept_pages, walked)
    page.get_by_role("button", name="Draw zones and lines").click()
    surface = page.locator(".surface")
    page.get_by_role("button", name="Add a zone").click()
    for corner in [*DOOR, DOOR[0]]:
        press(surface, corner)
    page.get_by_label("Zone", exact=True).fill("door")
    page.get_by_role("group", name="Classes").get_by_role("button", name="blue").click()
    would = page.locator(".zone-preview")
    expect(would).to_contain_text(re.compile(r"door ?\d+ entered, \d+ left"))
    page.get_by_role("button", name="Save", exact=True).click()
    expect(
        page.get_by_role("status").filter(has_text="counted from the next frame")
    ).to_be_visible()
    door = rules(site, walked)["zones"]["door"]
    assert door["classes"] == ["blue"]
    assert [tuple(each) for each in door["polygon"]] == [
        pytest.approx(corner, abs=0.01) for corner in DOOR
    ]
    until(lambda: entered(page, "door") >= 2, what="for the blue box in the zone")
    before = page.locator("canvas.picture").get_attribute("data-epoch")
    # It is mended while the camera runs: a corner is added, moved and removed, and a line drawn.
    page.get_by_role("button", name="Edit zones").click()
    middle = ((DOOR[0][0] + DOOR[1][0]) / 2, DOOR[0][1])
    drag(surface, [middle, (middle[0], middle[1] - 0.05), (middle[0], middle[1] - 0.1)])
    page.get_by_role("button", name=re.compile("^Corner 4 of door")).focus()
    page.keyboard.press("Delete")
    assert page.evaluate(BLUNDERS) == []
    page.get_by_role("button", name="Add a line").click()
    drag(surface, [(0.5, 0.1), (0.5, 0.3), (0.5, 0.6)])
    page.get_by_role("button", name="Save", exact=True).click()
    line = page.locator('[data-line="line-1"] dd')
    expect(line).to_contain_text(re.compile(r"[1-9]\d* in, [1-9]\d* out"))
    changed = rules(site, walked)
    assert len(changed["zones"]["door"]["polygon"]) == 4
    assert changed["zones"]["door"]["polygon"][1] == pytest.approx(
        (middle[0], middle[1] - 0.1), abs=0.01
    )
    assert changed["lines"]["line-1"]["from"] == pytest.approx((0.5, 0.1), abs=0.01)
    assert page.locator("canvas.picture").get_attribute("data-epoch") == before
    assert page.evaluate(BLUNDERS) == []
    sees_the_events(page, walked, "door")


def test_a_zone_is_drawn_while_the_camera_does_not_run(
    loaded: Page, kept_pages: Pages, site: Site, walked: str
) -> None:
    """A camera stalls, or is called so, while somebody draws: no press is lost."""
    page = shown(loaded, kept_pages, walked)
    page.get_by_role("button", name="Draw zones and lines").click()
    page.get_by_role("button", name="Add a zone").click()
    surface = page.locator(".surface")
    press(surface, DOOR[0])
    camera = f"{site.url}/api/v1/cameras/{walked}"
    ask("POST", f"{camera}/pause").raise_for_status()
    try:
        expect(page.locator(".camera-bar")).to_contain_text("Paused", ignore_case=True)
        for corner in [*DOOR[1:], DOOR[0]]:
            press(surface, corner)
        expect(page.get_by_role("button", name=re.compile("^Corner . of zone-1"))).to_have_count(4)
        expect(page.get_by_role("button", name="Save", exact=True)).to_be_enabled()
        page.get_by_role("button", name="Cancel", exact=True).click()
        expect(page.locator(".screen")).to_contain_text("Paused")
    finally:
        ask("POST", f"{camera}/resume").raise_for_status()


def test_a_zone_is_proposed_where_objects_were(pages: Pages, site: Site, walked: str) -> None:
    """With a finger; it is drawn, and counts once it is saved."""
    path = f"{site.url}/api/v1/cameras/{walked}/zones/proposal"
    until(lambda: ask("GET", path).json().get("name"), what="for tracks that are kept")
    page = opened(pages, site, walked, **PHONE)
    page.get_by_role("button", name="Draw zones and lines").tap()
    page.get_by_role("button", name="Propose a zone").tap()
    expect(page.get_by_role("status").filter(has_text="tracks of the last")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^Corner 1 of proposed"))).to_be_attached()
    page.get_by_role("button", name="Propose a zone").tap()
    page.get_by_role("button", name="Remove zone-1").tap()
    assert page.evaluate(BLUNDERS) == []
    page.get_by_role("button", name="Save", exact=True).tap()
    until(lambda: rules(site, walked)["zones"], what="for the zone")
    polygon = rules(site, walked)["zones"]["proposed"]["polygon"]
    assert min(max(each) for each in zip(*polygon, strict=True)) > 0.1
    until(lambda: entered(page, "proposed") >= 1, what="for objects in the zone")


def shows_an_image(shown: Locator) -> None:
    until(lambda: shown.locator("img").evaluate("(one) => one.naturalWidth"), what="for an image")


def sees_the_events(page: Page, camera: str, zone: str) -> None:
    """In the list, on the timeline and in the counts of the camera; as cards of all events."""
    row = page.locator(".recent-row", has_text=f"Blue entered {zone}").first
    expect(row).to_be_visible()
    shows_an_image(row)
    expect(page.locator(".marks rect").first).to_be_attached()
    page.get_by_role("link", name="All", exact=True).click()
    expect(page.get_by_label("Camera", exact=True)).to_have_value(camera)
    page.get_by_label("Zone or line", exact=True).select_option(zone)
    page.get_by_label("Kind", exact=True).select_option("Zones")
    card = page.locator(".event", has_text=f"Blue entered {zone}").first
    expect(card).to_contain_text(camera)
    shows_an_image(card)
    card.locator(".event-image").click()
    expect(page.get_by_role("dialog")).to_contain_text(f"Blue entered {zone}")
    page.keyboard.press("Escape")
    expect(page.locator(".event", has_text="crossed")).to_have_count(0)


def test_a_zone_is_drawn_with_a_finger(pages: Pages, site: Site, walked: str) -> None:
    page = opened(pages, site, walked, **PHONE)
    page.get_by_role("button", name="Draw zones and lines").tap()
    page.get_by_role("button", name="Add a zone").tap()
    surface = page.locator(".surface")
    surface.scroll_into_view_if_needed()
    astray = (0.2, _FEET)
    for corner in [*DOOR, astray]:
        press(surface, corner, is_touch=True)
    page.get_by_role("button", name="Done").tap()
    press(surface, astray, is_touch=True)
    page.get_by_role("button", name="Remove corner 5").tap()
    page.get_by_label("Zone", exact=True).fill("stall")
    page.get_by_role("button", name="Save", exact=True).tap()
    until(lambda: entered(page, "stall") >= 1, what="for an object in the zone")
    polygon = rules(site, walked)["zones"]["stall"]["polygon"]
    assert all(
        each == pytest.approx(corner, abs=0.02) for each, corner in zip(polygon, DOOR, strict=True)
    )
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    sees_the_events(page, walked, "stall")


def test_zones_are_placed_and_moved_with_the_keyboard_and_wrong_ones_are_told(
    loaded: Page, kept_pages: Pages, site: Site, walked: str
) -> None:
    kept_pages.allowed.append("status of 422")
    page = shown(loaded, kept_pages, walked)
    page.get_by_role("button", name="Draw zones and lines").press("Enter")
    page.get_by_role("button", name="Add a line").press("Enter")
    page.keyboard.press("Escape")
    expect(page.locator(".shape-list li")).to_have_count(0)
    page.get_by_role("button", name="Add a zone").press("Enter")
    page.get_by_role("button", name="Place one").press("Enter")
    corner = page.get_by_role("button", name=re.compile("^Corner 1 of zone-1"))
    before = corner.get_attribute("aria-label")
    for key in ("ArrowRight", "ArrowRight", "Shift+ArrowDown"):
        corner.press(key)
    assert corner.get_attribute("aria-label") != before
    corner.press("Insert")
    expect(page.get_by_role("button", name=re.compile("^Corner 5 of zone-1"))).to_have_count(1)
    page.get_by_label("Counts after, s").fill("-1")
    page.get_by_role("button", name="Save", exact=True).press("Enter")
    after = page.get_by_label("Counts after, s")
    expect(after).to_have_attribute("aria-invalid", "true")
    expect(after).to_be_focused()
    expect(page.locator(".field", has=after).get_by_role("alert")).to_contain_text("-1")
    after.fill("1")
    page.get_by_label("Zone", exact=True).fill("not a name")
    expect(page.get_by_role("button", name="Save", exact=True)).to_be_disabled()
    page.get_by_role("button", name="Cancel", exact=True).press("Enter")
    assert rules(site, walked)["zones"] == {}


# A key behind a press, before the page has drawn what the press changed.
_AT_ONCE = """async () => {
  [...document.querySelectorAll("button")].find((one) => one.innerText === "Add a line").click();
  await new Promise((done) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = done;
    port2.postMessage(null);
  });
  dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", cancelable: true }));
}"""


def test_a_key_that_follows_at_once_is_heard(loaded: Page, kept_pages: Pages, walked: str) -> None:
    page = shown(loaded, kept_pages, walked)
    page.get_by_role("button", name="Draw zones and lines").press("Enter")
    page.get_by_role("button", name="Add a line").wait_for()
    page.evaluate(_AT_ONCE)
    expect(page.locator(".shape-list li")).to_have_count(0)


_MOVED = """async ({ points, by }) => {
  const { moved } = await import("/static/zones/zone_rules.js");
  return moved(points, by);
}"""


def test_a_zone_that_is_moved_keeps_its_shape_at_the_edge(scripts: Page) -> None:
    for by, expected in (((0.9, 0), 0.5), ((-0.9, 0), -0.2), ((0.1, -0.05), 0.1)):
        points = [[0.2, 0.3], [0.5, 0.3], [0.5, 0.6]]
        moved = scripts.evaluate(_MOVED, {"points": points, "by": by})
        assert moved[0][0] - 0.2 == pytest.approx(expected)
        for (one, other), (was, then) in zip(pairwise(moved), pairwise(points), strict=True):
            way = (other[0] - one[0], other[1] - one[1])
            assert way == pytest.approx((then[0] - was[0], then[1] - was[1]))


_RULES = {
    "zones": {
        "door": {
            "polygon": [[0.1, 0.2], [0.9, 0.2], [0.5, 1.0]],
            "classes": ["blue"],
            "after_s": 2,
        },
        "road": {"mask": "drivable", "share": 0.7, "anchor": "mask"},
    },
    "lines": {"gate": {"from": [0.3, 0.25], "to": [0.7, 0.9], "band": 0.05}},
    "ground": {
        "image": [[0.2, 0.9], [0.8, 0.9], [0.6, 0.5], [0.4, 0.5]],
        "metres": [[0, 0], [5.5, 0], [5.5, 20], [0, 20]],
    },
}
_BODY = """async (rules) => {
  const { bodyOf, shapesOf } = await import("/static/zones/zone_rules.js");
  return bodyOf(shapesOf(rules), rules.area);
}"""


def test_what_is_not_touched_is_saved_as_it_was(scripts: Page) -> None:
    for area in ([0, 0, 1, 1], [0.1, 0.2, 0.9, 1]):
        assert scripts.evaluate(_BODY, {**_RULES, "area": area}) == _RULES


_NOW = """async ({ origin, may }) => {
  const { html, render } = await import("/static/lib/preact.js");
  const { ZonesNow } = await import("/static/zones/zones_now.js");
  const place = document.createElementNS("http://www.w3.org/1999/xhtml", "div");
  const camera = { name: "gate", worker: "main", origin, stages: [] };
  render(html`<${ZonesNow} camera=${camera} session=${{ may }} />`, place);
  return place.textContent.trim();
}"""


@pytest.mark.parametrize(
    ("origin", "may", "said"),
    [
        ("api", ["operator"], "Draw zones and lines"),
        (
            "config",
            ["operator"],
            "Zones and lines of this camera are changed in worker main's configuration file.",
        ),
        ("config", [], ""),
    ],
)
def test_where_zones_are_changed_is_said(
    scripts: Page, origin: str, may: list[str], said: str
) -> None:
    assert scripts.evaluate(_NOW, {"origin": origin, "may": may}) == said

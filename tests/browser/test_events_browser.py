"""The page of all events: what it asks for, how it grows, and that it does not jump."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from tests.support.live_site import Site, until
from tests.support.opened_pages import DESKTOP, Pages

NOW = time.time()
PHONE_WIDTH = 390
ELSEWHERE = "#/camera/none"


def event(n: int, kind: str = "zone-entered", **keys: Any) -> dict[str, Any]:
    """The ``n``-th event, ``n`` seconds after the hour that the first of them lies back."""
    ts = NOW - 3600 + n
    entry = f"{round(ts * 1000)}-{n}"
    said = {"id": f"1-{n}-{kind}-door-1", "track_id": n, "label": "person", "zone": "door"}
    return {"camera": "drawn", "kind": kind, "ts": ts, "entry": entry, **said, **keys}


class Happened:
    """Answers for the API, of events that a test adds to."""

    def __init__(self, page: Page, events: list[dict[str, Any]]) -> None:
        self.events = events
        self.asked: list[dict[str, list[str]]] = []
        self.is_away = False
        page.route("**/api/v1/events?*", self._answer)

    def _answer(self, route: Route) -> None:
        asked = parse_qs(urlsplit(route.request.url).query)
        self.asked.append(asked)
        if self.is_away:
            return route.fulfill(status=503, json={"detail": "Redis does not answer"})
        found = sorted(self.events, key=lambda one: -float(one["ts"]))
        if before := asked.get("before"):
            found = [one for one in found if one["ts"] * 1000 < int(before[0].split("-")[0]) - 0.5]
        if since := asked.get("since"):
            found = [one for one in found if one["ts"] >= float(since[0])]
        found, rest = found[: int(asked["limit"][0])], found[int(asked["limit"][0]) :]
        last = found[-1]["entry"] if rest else None
        return route.fulfill(json={"events": found, "next": last, "unreadable": 0})


def shown(page: Page) -> list[str]:
    return [
        str(one)
        for one in page.locator("[data-event]").evaluate_all("a => a.map(e => e.dataset.event)")
    ]


def all_after_scrolling(page: Page) -> int:
    page.evaluate("scrollBy(0, 3000)")  # at once, which what a wheel does is not
    return len(shown(page))


@pytest.fixture(scope="module")
def opened(lasting: Pages, site: Site) -> Page:
    lasting.allowed.append("status of 503")
    return lasting.open(f"{site.url}/{ELSEWHERE}")


@pytest.fixture
def page(opened: Page) -> Iterator[Page]:
    yield opened
    opened.evaluate("hash => { location.hash = hash; }", ELSEWHERE)
    opened.unroute_all(behavior="ignoreErrors")
    opened.mouse.move(0, 0)
    opened.set_viewport_size(DESKTOP)


def address(page: Page) -> str:
    return str(page.evaluate("location.hash"))


def go(page: Page, query: str = "") -> None:
    page.evaluate("hash => { location.hash = hash; }", f"#/events{query}")


def test_new_events_come_without_a_jump_and_older_ones_by_scrolling(page: Page) -> None:
    happened = Happened(page, [event(n) for n in range(100)])
    go(page)
    cards = page.locator("[data-event]")
    expect(cards.first).to_have_attribute("data-event", event(99)["id"])
    happened.events.append(event(100))
    expect(cards.first).to_have_attribute("data-event", event(100)["id"])
    until(lambda: all_after_scrolling(page) == 101)
    assert shown(page) == [event(n)["id"] for n in range(100, -1, -1)]
    where = "scrollY + document.querySelector('[data-event^=\"1-5-\"]').getBoundingClientRect().top"
    before = page.evaluate(f"[scrollY, {where}]")
    happened.events += [event(101), event(102)]
    page.get_by_role("button", name="2 new events").wait_for()
    assert page.evaluate(f"[scrollY, {where}]") == before
    page.get_by_role("button", name="2 new events").click()
    expect(cards.first).to_have_attribute("data-event", event(102)["id"])
    assert page.evaluate("scrollY") == 0
    happened.events += [event(n) for n in range(103, 900)]  # more than are fetched at once
    until(lambda: shown(page)[0] == event(899)["id"])
    assert shown(page)[:40] == [event(n)["id"] for n in range(899, 859, -1)]


def test_an_object_is_one_card_which_tells_its_newest(page: Page) -> None:
    born = event(1, "object-new", id="1-7-object-new--1", zone="")
    happened = Happened(page, [born, event(2)])
    go(page)
    expect(page.locator("[data-event]")).to_have_count(2)
    expect(page.locator("[data-event]").last).to_contain_text("Person appeared")
    happened.events.append(event(9, "object-end", id="1-7-object-end--1", zone="", dwell_s=80))
    last = page.locator("[data-event]").last  # where it was
    expect(last).to_contain_text("Person was here for 1 min 20 s")
    expect(page.locator("[data-event]")).to_have_count(2)


def test_filters_are_asked_for_and_stand_in_the_address(page: Page) -> None:
    happened = Happened(page, [event(1)])
    go(page, "?camera=drawn&place=line%3Agate")
    expect(page.get_by_label("Camera", exact=True)).to_have_value("drawn")
    expect(page.get_by_label("Zone or line", exact=True)).to_have_value("line:gate")
    page.get_by_label("Class", exact=True).select_option("blue")
    page.get_by_label("Kind", exact=True).select_option("Lines")
    page.get_by_label("Time", exact=True).select_option("Last hour")
    until(lambda: "span=3600" in address(page) and "since" in happened.asked[-1])
    asked = happened.asked[-1]
    wanted = {"camera": ["drawn"], "line": ["gate"], "label": ["blue"], "kind": ["line-crossed"]}
    assert {key: asked[key] for key in wanted} == wanted
    assert "zone" not in asked
    page.get_by_label("Time", exact=True).select_option("Between…")
    page.get_by_label("To", exact=True).fill("2026-01-02T03:04")
    until(lambda: address(page) and "until" in happened.asked[-1])
    page.get_by_role("button", name="Clear", exact=True).click()
    until(lambda: address(page) == "#/events")
    expect(page.get_by_label("Camera", exact=True)).to_have_value("")


def test_cards_of_other_filters_are_no_answer(page: Page) -> None:
    happened = Happened(page, [event(1)])
    go(page)
    expect(page.locator("[data-event]")).to_have_count(1)
    happened.is_away = True
    page.get_by_label("Class", exact=True).select_option("blue")
    notice, filters = page.locator("main .notice"), page.locator(".event-filters")
    expect(notice).to_contain_text("Events cannot be read")
    expect(page.locator("[data-event]")).to_have_count(0)
    left = [one.evaluate("one => one.getBoundingClientRect().left") for one in (notice, filters)]
    assert left[0] == left[1]
    happened.is_away = False
    expect(page.locator("[data-event]")).to_have_count(1)


def test_no_events_and_none_that_match_are_told_apart_also_on_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": PHONE_WIDTH, "height": 844})
    happened = Happened(page, [])
    go(page)
    expect(page.get_by_role("heading", name="No events yet")).to_be_visible()
    go(page, "?label=blue")
    expect(page.get_by_role("heading", name="No events match")).to_be_visible()
    happened.events += [event(1, "line-crossed", line="gate-of-the-long-name" * 2, direction="in")]
    expect(page.locator("[data-event]")).to_contain_text("inwards")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE_WIDTH

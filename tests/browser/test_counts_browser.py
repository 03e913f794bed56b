"""Counts over time on a camera's page: columns, numbers, a table and a file."""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from mirante.counts import Series, digits_of
from tests.support import ROOT
from tests.support.live_site import Site, ask, until

BLUNDERS = (ROOT / "tests/support/blunders.js").read_text()
SIZES: dict[str, ViewportSize] = {
    "desktop": {"width": 1440, "height": 900},
    "phone": {"width": 390, "height": 844},
}
HOUR_S = 3600
COUNTED = {
    Series("in", "gate", "person"): [3, 0, 70],
    Series("out", "gate", "person"): [1],
    Series("in", "gate", "car"): [0, 0, 5],
    Series("out", "gate", "car"): [0, 0, 9],
    Series("left", "door", "person"): [0, 0, 4],
    Series("dwell", "door", "person"): [50],
}
"""Three hours ago, two, one."""


@pytest.fixture
def counted(site: Site) -> Iterator[Site]:
    """The camera has counted the crossings of a line, and who was in a zone, three hours long."""
    until(lambda: time.time() % HOUR_S < HOUR_S - 50, what="for an hour that lasts long enough")
    this_hour = int(time.time()) // HOUR_S * HOUR_S
    keys = set()
    with site.client() as client:
        for one, values in COUNTED.items():
            for ago, value in zip((3, 2, 1), values, strict=False):
                for write in digits_of("drawn", one, this_hour - ago * HOUR_S, value, "hour"):
                    before = client.hget(write.key, write.field) or b""
                    held = before.decode().ljust(write.at, "0")
                    text = held[: write.at] + write.text + held[write.at + 1 :]
                    client.hset(write.key, write.field, text)
                    keys.add(write.key)
        yield site
        client.delete(*keys)


def heights(page: Page, label: str, side: str) -> list[float]:
    """The heights of the columns that are drawn of a class."""
    path = page.locator(f'.count-bars path[data-label="{label}"][data-side="{side}"]')
    places = re.findall(r"M[\d.]+ ([\d.]+)H[\d.]+V([\d.]+)", path.get_attribute("d") or "")
    return [abs(float(to) - float(start)) for start, to in places]


@pytest.mark.parametrize("size", SIZES)
def test_columns_numbers_and_table_say_what_was_counted(
    loaded: Page, counted: Site, size: str
) -> None:
    page = loaded
    page.set_viewport_size(SIZES[size])
    page.evaluate("location.hash = '#/camera/drawn'")
    card = page.locator(".counts")
    expect(card.get_by_label("What", exact=True)).to_have_value("line/gate")
    chart = card.get_by_role("img", name=re.compile("Line gate, last 24 hours, per hour"))
    expect(chart).to_have_attribute(
        "aria-label", re.compile("car 5 in, 9 out; person 73 in, 1 out")
    )
    expect(card.locator(".count-legend")).to_contain_text(re.compile(r"person\s*73\s*in\s*1\s*out"))
    few, many = heights(page, "person", "up")
    assert many / few == pytest.approx(70 / 3)
    (car,), (gone,) = heights(page, "car", "up"), heights(page, "car", "down")
    assert gone / car == pytest.approx(9 / 5)
    chart.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")  # the hour before this one
    expect(card.locator(".count-legend")).to_contain_text(re.compile(r"person\s*70\s*in\s*0\s*out"))
    card.get_by_text("As a table").click()
    expect(card.locator("tbody tr")).to_have_count(2)  # drawn when it was told that it is open
    rows = [
        [cell.strip() for cell in row.locator("td").all_inner_texts()]
        for row in card.locator("tbody tr").all()
    ]
    assert rows == [["5", "9", "70", "0"], ["0", "0", "3", "1"]], "hours without any are left out"
    assert page.evaluate(BLUNDERS) == []


def test_zones_spans_and_the_file(loaded: Page, counted: Site) -> None:
    page = loaded
    page.evaluate("location.hash = '#/camera/drawn'")
    card = page.locator(".counts")
    card.get_by_label("What", exact=True).select_option("zone/door")
    legend = card.locator(".count-legend")
    expect(legend).to_contain_text(re.compile(r"person\s*0\s*entered\s*4\s*left"))
    expect(legend).to_contain_text("mean stay 13 s")
    card.get_by_label("Span", exact=True).select_option("35d")
    expect(card.get_by_label("Per", exact=True)).to_have_value("day")
    expect(legend).to_contain_text(re.compile(r"person\s*0\s*entered\s*4\s*left"))
    link = card.get_by_role("link", name="CSV").get_attribute("href")
    rows = list(csv.reader(io.StringIO(ask("GET", f"{counted.url}{link}").text)))
    assert [row[1:] for row in rows[1:] if row[1] == "in" and row[4] == "person"] == [
        ["in", "", "gate", "person", "3"],
        ["in", "", "gate", "person", "70"],
    ]
    card.get_by_label("Span", exact=True).select_option("1h")
    expect(card).to_contain_text("Nothing was counted in the last 60 minutes")

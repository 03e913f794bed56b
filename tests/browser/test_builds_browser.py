"""The progress of a build: a bar on the page *System* and on its cameras' pages."""

from __future__ import annotations

import time
from typing import Any

from playwright.sync_api import Page, expect

from tests.support.system_page import open_system

# The page's own piece, into an element that nothing else draws.
_NOTE = r"""async builds => {
  const { html, render } = await import("/static/lib/preact.js");
  const { BuildNote } = await import("/static/camera/build_note.js");
  const place = document.body.appendChild(document.createElement("main"));
  render(html`<${BuildNote} builds=${builds} />`, place);
  const words = place.innerText.replaceAll(/\s+/g, " ").trim();
  place.remove();
  return words;
}"""


def with_build(page: Page, **build: Any) -> None:
    """Opens the page *System* anew, with every model in that build."""

    def change(worker: dict[str, Any]) -> None:
        worker["builds"] = {model["name"]: build for model in worker["models"]}

    open_system(page, change)


def test_a_bar_shows_how_far_a_build_is_or_that_nobody_knows(loaded: Page) -> None:
    page = loaded
    began = time.time() - 3 * 3600  # hours stay the same for long enough
    bar = page.get_by_role("progressbar", name="Engine of test-boxes")
    row = page.locator("tr", has=page.get_by_text("test-boxes", exact=True))

    with_build(page, state="building", words="tactics", share=0.42, since=began)
    expect(bar).to_have_attribute("aria-valuenow", "42")
    expect(row).to_contain_text("building: tactics")
    expect(row).to_contain_text("42 %, for 3 h")
    whole, part = (bar.locator(each).bounding_box() for each in (".whole", ".part"))
    assert whole is not None
    assert part is not None
    assert 0.40 < part["width"] / whole["width"] < 0.44

    with_build(page, state="building", words="converting", share=None, since=began)
    expect(row).to_contain_text("progress unknown, for 3 h")
    assert bar.get_attribute("aria-valuenow") is None

    with_build(page, state="failed", words="node x: no such op", share=None, since=began)
    expect(row).to_contain_text("failed: node x: no such op")
    expect(bar).to_have_count(0)


def test_a_cameras_page_tells_of_engines_that_are_coming(loaded: Page) -> None:
    build = {"state": "collecting", "words": "", "share": 0.25, "since": None}
    done = {"state": "ready", "words": "", "share": None, "since": None}
    assert loaded.evaluate(_NOTE, {"models/road": build, "street": done}) == (
        "Engine of road collecting frames 25 %"
    )
    assert loaded.evaluate(_NOTE, {"street": done}) == loaded.evaluate(_NOTE, {}) == ""

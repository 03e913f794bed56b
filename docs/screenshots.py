"""Makes the pictures of the dashboard in docs/images/ from a demo that it runs itself.

    apt-get install chromium           # and once ./run test -q tests/browser, for the rest
    .venv/bin/python docs/screenshots.py

What they show is what the demo's cameras saw at that moment; nothing is drawn in afterwards.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs/images"
SIZES = {"desktop": (1440, 900), "phone": (390, 844)}
SEASON_MS = 45_000  # until the charts have something to say
PLAYED_S = 3.5  # of a clip
SHOWN = 95  # JPEG quality


@contextmanager
def demo() -> Iterator[str]:
    """A running demo; yields the address of its page."""
    command = [Path(sys.executable).with_name("mirante"), "demo"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if found := re.search(r"http://\S+", line):
                    yield found[0]
                    break
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)


def wall(page: Page) -> None:
    """All cameras."""
    go(page, "#/")
    page.locator("canvas[data-seq]").nth(2).wait_for()


def camera(page: Page) -> None:
    """One camera, with its tracks, its line and its zone."""
    go(page, "#/camera/street")
    page.wait_for_selector("canvas[data-seq]")


def clip(page: Page) -> None:
    """A clip of somebody who crosses the line, as it plays."""
    go(page, "#/camera/street")
    page.locator(".clip-row").nth(1).click()  # the newest may be being written
    page.wait_for_selector("video")
    while page.evaluate("document.querySelector('video').currentTime") < PLAYED_S:
        page.wait_for_timeout(100)


def charts(page: Page) -> None:
    """The lower half of a camera's page."""
    go(page, "#/camera/street")
    heading = page.locator("h2", has_text="Frames").first
    heading.evaluate("one => scrollBy(0, one.getBoundingClientRect().top - 80)")
    page.wait_for_timeout(1500)


def events(page: Page) -> None:
    """Take the events page."""
    go(page, "#/events")
    page.locator(".event img").nth(3).wait_for()


def system(page: Page) -> None:
    """The machine behind it."""
    go(page, "#/system")


def add(page: Page) -> None:
    """A camera that was tested and is about to be added."""
    wall(page)
    page.locator(".head .button.primary").click()
    url = page.evaluate(
        "fetch('/api/v1/cameras/street').then(answer => answer.json()).then(one => one.url)"
    )
    page.get_by_label("Address").fill(url)
    page.get_by_label("Name").fill("square")
    page.get_by_role("button", name="Test", exact=True).click()
    page.locator("canvas[data-drawn]").wait_for(timeout=60_000)


def go(page: Page, route: str) -> None:
    """Opens a route of the page; a dialogue that is open is closed by it."""
    page.keyboard.press("Escape")
    page.evaluate("route => { location.hash = route; }", route)
    page.wait_for_timeout(2500)


PAGES: tuple[Callable[[Page], None], ...] = (wall, camera, charts, events, clip, system, add)


def main() -> None:
    """Writes ``dashboard-<page>-<size>.jpg``."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("chromium is not installed: apt-get install chromium")
    with demo() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for size, (width, height) in SIZES.items():
            page = browser.new_page(
                viewport={"width": width, "height": height}, color_scheme="dark"
            )
            page.goto(url, wait_until="domcontentloaded")
            if size == "desktop":
                wall(page)
                page.wait_for_timeout(SEASON_MS)
            for show in PAGES:
                show(page)
                path = IMAGES / f"dashboard-{show.__name__}-{size}.jpg"
                page.screenshot(path=path, type="jpeg", quality=SHOWN)
                print(path.relative_to(ROOT))  # noqa: T201
            page.close()
        browser.close()


if __name__ == "__main__":
    main()

"""Debian's chromium before a real dashboard; a page that complains fails its test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.support.live_site import BOXES, Site, real_site, simulated_site
from tests.support.opened_pages import TIMEOUT_MS, Pages

expect.set_options(timeout=TIMEOUT_MS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


# Not of the session: while it runs, no other test of this thread can run asyncio.
@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed (./run test installs it on Debian)")
    if Path(program).is_relative_to("/snap"):
        pytest.skip("chromium is a snap here, which cannot be driven from outside")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def pages(chromium: Browser, simulated: Callable[..., Site]) -> Iterator[Pages]:
    del simulated  # ends after the pages, which would complain
    opened = Pages(chromium)
    yield opened
    opened.close()
    assert opened.complaints() == []


@pytest.fixture(scope="package")
def site(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A worker with the synthetic camera ``drawn``, and the dashboard beside it.

    Tests share it: they remove what they add, and those that kill its parts have one of their own.
    """
    del chromium  # nothing is started where there is no browser
    with real_site(tmp_path_factory.mktemp("site"), defaults=BOXES) as running:
        yield running


@pytest.fixture
def simulated(
    chromium: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Site]]:
    """Starts a dashboard over cameras that only publish: how many, and the dashboard's settings."""
    del chromium
    monkeypatch.setenv("MIRANTE_HOME", str(tmp_path / "home"))
    with simulated_site() as start:
        yield start

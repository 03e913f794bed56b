"""Debian's chromium before a real dashboard; a page that complains fails its test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.live_site import BOXES, Site, real_site
from tests.support.opened_pages import CALM, TIMEOUT_MS, Pages

expect.set_options(timeout=TIMEOUT_MS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


# Not of the session: while it runs, no other test of this thread can run asyncio.
@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    # The shell opens a page for 60 % less than the browser around it.
    program = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if program is None:
        pytest.skip("chromium-headless-shell is not installed (./run test installs it on Debian)")
    if Path(program).is_relative_to("/snap"):
        pytest.skip("chromium is a snap here, which cannot be driven from outside")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def shared_pages(chromium: Browser) -> Iterator[Pages]:
    """Pages that one test hands on to the next."""
    opened = Pages(chromium)
    yield opened
    opened.close()


@pytest.fixture
def pages(shared_pages: Pages) -> Iterator[Pages]:
    yield shared_pages
    complaints = shared_pages.complaints()
    shared_pages.leave()
    assert complaints == []


@contextmanager
def heard(chromium: Browser) -> Iterator[Pages]:
    """Opens pages, and fails where one of them has complained by the end."""
    opened = Pages(chromium)
    yield opened
    complaints = opened.complaints()
    opened.close()
    assert complaints == []


@pytest.fixture(scope="package")
def scripts(chromium: Browser, site: Site) -> Iterator[Page]:
    """A page that shows an icon, on which tests call what the dashboard's modules export."""
    with heard(chromium) as opened:
        opened.allowed.append("favicon")
        yield opened.open(f"{site.url}/static/icon.svg")


@pytest.fixture(scope="module")
def lasting(chromium: Browser) -> Iterator[Pages]:
    """Pages that all tests of a module look at."""
    with heard(chromium) as opened:
        yield opened


@pytest.fixture(scope="package")
def site(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A worker with the synthetic camera ``drawn``, and the dashboard beside it.

    Tests share it: they remove what they add, and those that kill its parts have one of their own.
    """
    del chromium  # nothing is started where there is no browser
    with real_site(tmp_path_factory.mktemp("site"), defaults=BOXES) as running:
        yield running


@pytest.fixture(scope="package")
def kept_pages(chromium: Browser, site: Site) -> Iterator[Pages]:
    """The page of ``loaded``, and what it complains about."""
    opened = Pages(chromium)
    opened.open(f"{site.url}/{CALM}")
    yield opened
    opened.close()


@pytest.fixture
def loaded(kept_pages: Pages) -> Iterator[Page]:
    """A page that is loaded already and shows no live image.

    It was another test's: what is asked for once, as kinds of sources and stages, is known to it.
    """
    kept_pages.forget()  # what was said while no test looked, of a server that was restarted
    [page] = kept_pages.shown
    yield page
    complaints = kept_pages.complaints()
    kept_pages.keep()
    assert complaints == []

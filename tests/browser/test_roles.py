"""Who may change cameras and who may only look; logging in, and out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboard.access.passwords import hash_password
from tests.support.canvas_pixels import next_frame, wait_in_page
from tests.support.live_site import Site, simulated_site
from tests.support.opened_pages import Pages

PASSWORDS = {"vera": "only looks here", "olga": "runs camera one", "adam": "may change all"}
RIGHTS: dict[str, dict[str, Any]] = {
    "vera": {"role": "viewer"},
    "olga": {"role": "operator", "cameras": ["camera-01"]},
    "adam": {"role": "admin"},
}
CLIP = "20261129-041503-250"
FETCH = """async ([method, path, body]) => {
  const headers = { "content-type": "application/json" };
  const said = body === null ? {} : { body: JSON.stringify(body) };
  const answer = await fetch(path, { method, headers, ...said });
  return [answer.status, await answer.text()];
}"""
SOCKET = """() => new Promise((resolve) => {
  const socket = new WebSocket(`ws://${location.host}/api/v1/live`);
  socket.onmessage = () => { resolve("told"); socket.close(); };
  socket.onclose = (event) => resolve(event.code);
})"""
CONTROLS = (
    *("Add a camera", "Pause", "Resume", "Edit", "Remove", "Test", "Swap"),
    *("Draw zones and lines", "Edit zones"),
)


@pytest.fixture(scope="module")
def site(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Tests share it: whoever pauses a camera resumes it."""
    del chromium
    users = {
        name: RIGHTS[name] | {"password": hash_password(word)} for name, word in PASSWORDS.items()
    }
    with simulated_site(tmp_path_factory.mktemp("roles")) as start:
        yield start(2, users=users)


def log_in(page: Page, name: str, password: str | None = None) -> None:
    page.get_by_label("User").fill(name)
    page.get_by_label("Password").fill(password or PASSWORDS[name])
    page.get_by_role("button", name="Log in").click()


def logged_in(pages: Pages, site: Site, name: str) -> Page:
    page = pages.open(site.url)
    log_in(page, name)
    next_frame(page.locator("[data-camera] canvas").first)
    return page


@pytest.fixture(scope="module")
def viewed(lasting: Pages, site: Site) -> Page:
    """The wall as a viewer sees it, for tests that leave all as it is."""
    return logged_in(lasting, site, "vera")


def fetch(page: Page, method: str, path: str, body: Any = None) -> tuple[int, str]:
    """A call of the API from the page itself, with its cookie and its origin."""
    status, text = page.evaluate(FETCH, [method, path, body])
    return int(status), str(text)


def test_nothing_is_seen_without_a_login(pages: Pages, site: Site) -> None:
    pages.allowed.append("status of 401")
    page = pages.open(site.url)
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    assert page.evaluate(SOCKET) == 4401
    assert fetch(page, "GET", "/api/v1/cameras")[0] == 401
    log_in(page, "vera", "a guess")
    expect(page.get_by_role("alert")).to_contain_text("User or password is wrong")
    log_in(page, "vera")
    next_frame(page.locator("[data-camera] canvas").first)


def test_a_viewer_finds_nothing_to_change_anything_with(viewed: Page, site: Site) -> None:
    page = viewed
    for route, there in (
        ("#/", ".wall"),
        (f"#/camera/{site.cameras[0]}", "canvas.picture"),
        ("#/system", ".system-page h2"),
        ("#/events", ".events-page h1"),
    ):
        page.evaluate("route => { location.hash = route; }", route)
        page.locator(there).first.wait_for()
        names = page.evaluate(
            "[...document.querySelectorAll('button')].map((b) => b.ariaLabel ?? b.innerText)"
        )
        assert names, route
        assert not [one for one in names if one.startswith(CONTROLS)], route


def test_the_api_refuses_every_change_of_a_viewer(viewed: Page, lasting: Pages, site: Site) -> None:
    lasting.allowed.append("status of 403")
    page = viewed
    one = f"/api/v1/cameras/{site.cameras[0]}"
    before = fetch(page, "GET", one)
    spec = {"url": "test://?fps=1"}
    changes: list[tuple[str, str, Mapping[str, object] | None]] = [
        ("POST", "/api/v1/cameras", {"name": "new", **spec}),
        ("PATCH", one, spec),
        ("PUT", one, spec),
        ("DELETE", one, None),
        ("POST", f"{one}/pause", None),
        ("POST", f"{one}/resume", None),
        ("POST", f"{one}/wake", None),
        ("PUT", f"{one}/zones", {"zones": {}}),
        ("POST", f"{one}/zones/preview", {"zones": {}}),
        ("POST", f"{one}/clips", {}),
        ("DELETE", f"{one}/clips/{CLIP}", None),
        ("POST", "/api/v1/cameras/test", spec),
        ("POST", "/api/v1/discovery", None),
        ("POST", "/api/v1/models/swap", {"model": "street", "to": None}),
        ("POST", "/api/v1/bridges/test", {"bridge": "webhook"}),
        ("POST", "/api/v1/stream/add", {}),
        ("POST", "/api/v1/stream/remove", {}),
    ]
    assert unsafe_calls(page, site.cameras[0]) <= {
        (method, path) for method, path, _ in changes
    } | {
        ("POST", "/api/v1/session"),
        ("DELETE", "/api/v1/session"),
    }, "there are calls that are not tried here"
    for method, path, body in changes:
        status, text = fetch(page, method, path, body)
        assert (status, "viewer" in text) == (403, True), (method, path, text)
    after = fetch(page, "GET", one)
    assert before[0] == after[0] == 200
    assert '"paused":false' in after[1].replace(" ", "")


def unsafe_calls(page: Page, name: str) -> set[tuple[str, str]]:
    """Methods and paths by which the API changes something, as it describes itself."""
    _, text = fetch(page, "GET", "/api/v1/openapi.json")
    return {
        (method.upper(), path.replace("{name}", name).replace("{clip}", CLIP))
        for path, calls in json.loads(text)["paths"].items()
        for method in calls
        if method in {"post", "put", "patch", "delete"}
    }


def test_an_operator_finds_what_is_theirs(pages: Pages, site: Site) -> None:
    page = logged_in(pages, site, "olga")
    name, other = site.cameras
    assert page.locator("[data-camera]").evaluate_all("all => all.map(e => e.dataset.camera)") == [
        name
    ]
    page.evaluate("name => { location.hash = `#/camera/${name}`; }", name)
    page.get_by_role("button", name=f"Test {name}").click()
    page.get_by_role("button", name="Cancel the test").click()  # no worker answers here
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name=f"Pause {name}").click()
    expect(page.locator(".view .why")).to_contain_text("until you resume it")
    page.get_by_role("button", name=f"Resume {name}").click()
    expect(page.get_by_role("button", name=f"Pause {name}")).to_be_visible()
    for control in ("Add a camera", "Edit", "Remove", "Swap"):
        expect(page.get_by_role("button", name=control)).to_have_count(0)
    assert other not in page.content()
    page.evaluate("name => { location.hash = `#/camera/${name}`; }", other)
    expect(page.get_by_role("heading", name="No camera is named")).to_be_visible()


def test_an_admin_may_change(pages: Pages, site: Site) -> None:
    page = logged_in(pages, site, "adam")
    name = site.cameras[0]
    page.get_by_role("button", name=f"Pause {name}").click()
    expect(page.locator(f'[data-camera="{name}"] .why')).to_contain_text("Paused")
    page.get_by_role("button", name=f"Resume {name}").click()
    expect(page.get_by_role("button", name=f"Pause {name}")).to_be_visible()


def test_logging_out_ends_the_socket_of_each_of_its_tabs(pages: Pages, site: Site) -> None:
    pages.allowed.append("status of 401")
    page = logged_in(pages, site, "adam")
    tab = page.context.new_page()
    tab.goto(site.url, wait_until="domcontentloaded")
    next_frame(tab.locator("[data-camera] canvas").first)
    assert page.evaluate(SOCKET) == "told"
    cookies: Any = page.context.cookies()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    assert page.evaluate(SOCKET) == 4401
    expect(tab.get_by_role("button", name="Log in")).to_be_visible()
    wait_in_page(tab, "document.querySelectorAll('[data-camera]').length === 0")
    page.context.add_cookies(cookies)  # whoever kept a copy of it
    assert page.evaluate(SOCKET) == 4401
    log_in(page, "vera")
    next_frame(page.locator("[data-camera] canvas").first)

"""How many cameras more fit, on the page *System* and before one is added that does not."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, Route, expect

from tests.support.system_page import open_system

ROOM = {"cameras": 2, "camera_percent": 21.4, "free_percent": 139.0, "more": 6}
NONE = {"cameras": 0, "camera_percent": None, "free_percent": 158.2, "more": None}
WARNING = "it may not fit: it takes about 35 % of a core when busy, and 12 % is left here"
TRIAL = {
    "connected": True,
    "words": "connected",
    "code": None,
    "advice": None,
    "size": [640, 360],
    "seconds": 1.0,
    "fps": 25.0,
    "codec": "H.264",
    "objects": [],
    "models": ["street"],
    "less": None,
    "hint": None,
    "picture": None,
    "cpu_percent": 35.2,
    "free_percent": 12.0,
    "fits": False,
    "warning": WARNING,
}


def with_room(page: Page, room: dict[str, Any] | None) -> None:
    """Opens the page anew, with every worker telling that."""
    open_system(page, lambda worker: worker.update(room=room))


def test_the_system_page_says_how_many_more_fit(loaded: Page) -> None:
    with_room(loaded, ROOM)
    room = loaded.locator(".readings div", has_text="Room")
    expect(room).to_contain_text("for 6 more like these: 139 % of a core, and each takes 21.4 %")
    with_room(loaded, NONE)
    expect(room).to_contain_text("158 % of a core, and no camera to measure by")
    with_room(loaded, None)
    expect(room).to_have_count(0)


def test_a_camera_that_does_not_fit_is_warned_of_and_may_be_added(loaded: Page) -> None:
    loaded.route("**/api/v1/cameras/test", lambda route: route.fulfill(json=TRIAL))
    bodies: list[Any] = []

    def keep(route: Route) -> None:
        bodies.append(route.request.post_data_json)
        route.fulfill(status=201, json={})

    loaded.route("**/api/v1/cameras", keep)
    loaded.get_by_role("banner").get_by_role("button", name="Add a camera").click()
    dialog = loaded.get_by_role("dialog")
    dialog.get_by_label("Address").fill("rtsp://192.0.2.10/stream")
    dialog.get_by_label("Name").fill("porch")
    dialog.get_by_role("button", name="Test", exact=True).click()
    warned = dialog.get_by_role("alert")
    expect(warned).to_have_text(f"{WARNING.capitalize()}.")
    expect(dialog.locator(".trial-facts")).to_contain_text("35 % of a core when busy")
    dialog.get_by_role("button", name="Add camera").click()
    expect(dialog).to_have_count(0)
    assert bodies[0]["name"] == "porch"

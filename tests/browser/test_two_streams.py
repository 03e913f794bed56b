"""A camera's two streams: found, taken into the form, and told about beneath the image."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, Route, expect

MAIN, SUB = "rtsp://192.0.2.10/main", "rtsp://192.0.2.10/sub"


def stream(url: str, size: tuple[int, int], best_for: str | None) -> dict[str, Any]:
    return {
        "url": url,
        "name": "",
        "size": size,
        "fps": 12.5,
        "codec": "H.264",
        "best_for": best_for,
    }


FOUND = {
    "cameras": [
        {
            "name": "Gate",
            "address": "192.0.2.10",
            "model": "",
            "location": "",
            "streams": [MAIN, SUB],
            "profiles": [
                stream(MAIN, (3840, 2160), "view"),
                stream(SUB, (640, 360), "analysis"),
            ],
            "words": "",
        }
    ],
    "words": "1 camera answered",
}


def test_the_form_takes_both_streams_of_a_camera_that_is_found(loaded: Page) -> None:
    page = loaded
    page.route("**/api/v1/discovery", lambda route: route.fulfill(json=FOUND))
    said: list[Any] = []

    def add(route: Route) -> None:
        if route.request.method != "POST":
            return route.continue_()
        said.append(route.request.post_data_json)
        return route.fulfill(status=201, json={})

    page.route("**/api/v1/cameras", add)
    page.get_by_role("banner").get_by_role("button", name="Add a camera").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Find cameras").click()
    dialog.get_by_label("Camera user").fill("viewer")
    dialog.get_by_label("Camera password").fill("a:b")
    expect(dialog).to_contain_text("2160, 12.5 fps, H.264")
    dialog.get_by_role("button", name="Best for analysis, with 3840").click()
    expect(dialog.locator("#url")).to_have_value(SUB)
    expect(dialog.locator("#view")).to_have_value(MAIN)
    dialog.get_by_role("button", name="Add camera").click()
    expect(dialog).to_be_hidden()
    [keys] = said
    login = "rtsp://viewer:a%3Ab@192.0.2.10"
    assert (keys["url"], keys["view"]) == (f"{login}/sub", f"{login}/main")

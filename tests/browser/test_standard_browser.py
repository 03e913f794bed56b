"""Pages of a worker that could not get the file of its default detector, and the form's choices."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Page, Route, expect

from pipeline.config.standard import WANTED

FILE, FOLDER, HOST = "yolox_nano_416.onnx", "/var/lib/mirante/models", "models.example"
LESS = {
    "objects": {
        "finds": "objects",
        "wanted": WANTED["objects"],
        "runs": "street",
        "file": FILE,
        "folder": FOLDER,
        "host": HOST,
        "tried": [f"store {FOLDER}/{FILE}: wrong checksum"],
    },
    "faces": None,
}
STAGES = {
    "stages": [{"model": "street"}, {"track": "bytetrack"}],
    "with_faces": [{"model": "street"}, {"track": "bytetrack"}],
}


def test_the_system_page_says_what_is_missing(loaded: Page) -> None:

    def missing(route: Route) -> None:
        system = route.fetch().json()
        for worker in system["workers"]:
            worker["standard"] = LESS
        route.fulfill(json=system)

    loaded.route("**/api/v1/system", missing)
    loaded.evaluate("location.hash = '#/system'")
    notice = loaded.locator(".notice", has_text="street: fewer objects found")
    expect(notice).to_contain_text(f"Put {FILE} into {FOLDER} or allow {HOST}, then restart")
    notice.locator("summary").click()
    expect(notice.get_by_text("wrong checksum")).to_be_visible()


def test_the_form_leaves_the_default_to_the_worker_and_tells_prices(loaded: Page) -> None:

    def offered(route: Route) -> None:
        models = route.fetch().json()
        models["standard"] = {"main": STAGES}
        for one in models["zoo"]:
            is_here = one["name"] in {"street", "face", "deimv2-femto"}
            one["ready_on"] = ["main"] if is_here else []
            one["ms"] = 12.8 if one["name"] == "deimv2-femto" else None
        route.fulfill(json=models)

    loaded.route("**/api/v1/models", offered)
    bodies: list[dict[str, Any]] = []

    def keep(route: Route) -> None:
        bodies.append(route.request.post_data_json or {})
        route.fulfill(status=201, json={})

    loaded.route("**/api/v1/cameras", keep)
    dialog = open_form(loaded)
    expect(dialog.get_by_label("People and vehicles")).to_be_checked()
    expect(dialog).to_contain_text("By street, which finds fewer than yolox-street.")
    expect(dialog.get_by_label("Blur faces")).to_be_visible()
    priced = re.compile("^Accurate .* About 13 ms an image")
    expect(dialog.get_by_role("radio", name=priced)).to_be_visible()
    for choice in ("Accurate", "Faces with masks", "People and vehicles"):
        expect(dialog.get_by_role("radio", name=priced)).to_be_visible()  # models are known
        dialog.get_by_text(choice, exact=True).click()
        expect(dialog.get_by_label(choice)).to_be_checked()
        dialog.get_by_role("button", name="Add camera").click()
        expect(dialog).to_have_count(0)
        dialog = open_form(loaded)
    loaded.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert [body.get("stages") for body in bodies] == [
        [{"model": "deimv2-femto"}],
        [{"model": "street"}, {"model": "face", "on": "face"}],
        None,
    ]


def open_form(page: Page) -> Any:
    page.get_by_role("banner").get_by_role("button", name="Add a camera").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Address").fill("rtsp://192.0.2.10/stream")
    dialog.get_by_label("Name").fill("porch")
    return dialog

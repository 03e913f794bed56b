"""A camera's own events: asked for in its form, and their state shown beneath its image."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.support.live_site import Site, ask
from tests.support.onvif_events import EventCamera
from tests.support.opened_pages import Pages

MOTION = "tns1:RuleEngine/CellMotionDetector/Motion"


def test_a_camera_is_listened_to_and_the_page_says_how(
    loaded: Page, kept_pages: Pages, site: Site
) -> None:
    kept_pages.allowed.append("409")
    api = f"{site.url}/api/v1/cameras"
    keys = {"name": "heard", "url": "test://?size=320x180&fps=1"}
    ask("POST", api, json=keys).raise_for_status()
    page = loaded
    page.evaluate("location.hash = '#/camera/heard'")
    with EventCamera(login=("onvif", "kn0ck")) as camera:
        page.get_by_role("button", name="Edit heard").click()
        dialog = page.get_by_role("dialog")
        dialog.locator("summary", has_text="More options").click()
        dialog.locator("summary", has_text="ONVIF").click()
        dialog.get_by_role("switch", name="over ONVIF").check()
        dialog.get_by_role("button", name="Save").click()
        expect(dialog).to_contain_text("a camera without a host — expected null, or onvif_url")
        address = dialog.get_by_label("ONVIF service")
        address.fill("rtsp://onvif:kn0ck@127.0.0.1/onvif")
        dialog.get_by_role("button", name="Save").click()
        expect(address).to_have_attribute("aria-invalid", "true")
        expect(dialog).to_contain_text("expected http://HOST:PORT/PATH")
        address.fill(camera.url)
        dialog.get_by_role("button", name="Save").click()
        expect(dialog).to_have_count(0)
        note = page.locator(".onvif-note")
        expect(note).to_contain_text("own events: 0.")
        camera.wait("PullMessages")
        camera.say(
            camera.message("tns1:Monitoring/Usage", {"Value": "3"}),
            camera.message(MOTION, {"IsMotion": "true"}, operation="Changed"),
        )
        expect(note).to_contain_text("events: 1, the last camera:cell-motion")
        expect(note).to_contain_text("Not understood: Monitoring/Usage.")
        page.get_by_role("button", name="Edit heard").click()
        dialog.locator("summary", has_text="More options").click()
        expect(address).to_have_value(camera.url.replace("onvif:kn0ck", "***"))
        dialog.get_by_role("button", name="Save").click()
        expect(dialog).to_have_count(0)
        assert "kn0ck" not in ask("GET", f"{api}/heard").text
    why = page.get_by_text("connection refused: nothing listens at 127.0.0.1")
    expect(why.first).to_contain_text("(refused)")
    ask("DELETE", f"{api}/heard").raise_for_status()

"""A camera is added, fails in words, is repaired, shows images, is paused, and is removed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from mirante.faults import FaultCode
from mirante.keys import CAMERAS
from pipeline.cameras.synthetic import picture
from pipeline.gst.clips import encode_pictures
from tests.support import ROOT
from tests.support.canvas_pixels import next_frame
from tests.support.live_site import Site
from tests.support.opened_pages import CALM, Pages
from tests.support.ports import free_port
from tests.support.printed import printed
from tests.support.tally_stage import TallyStage

pytestmark = pytest.mark.rtsp
USER, PASSWORD = "viewer", "open-sesame-7"


@pytest.fixture(scope="module")
def camera_port(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A camera at ``/locked`` that asks for user and password."""
    del chromium
    clip = tmp_path_factory.mktemp("clip") / "numbers.mp4"
    encode_pictures((picture(n, 320, 180) for n in range(40)), 10, clip)
    server = ROOT / "tests/support/camera_server.py"
    with subprocess.Popen(
        [sys.executable, server, "0", clip, clip, PASSWORD],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
    ) as process:
        try:
            yield int(printed(process))
        finally:
            process.kill()


def add(page: Page) -> None:
    page.get_by_role("banner").get_by_role("button", name="Add a camera").click()


def leave(dialog: Locator) -> None:
    dialog.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def trial(page: Page, words: str) -> None:
    """Tests what the form holds, and waits for some words of the answer."""
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Test", exact=True).click()
    expect(dialog.locator(".trial-place")).to_contain_text(words)


def test_from_a_wrong_address_to_pictures_and_away(
    pages: Pages, site: Site, camera_port: int
) -> None:
    page = pages.open(site.url)
    add_one_that_fails(page)
    repair(page, camera_port)
    assert_its_password_is_told_nobody(page, site)
    pause_and_resume(page)
    remove(page)
    assert "gate" not in registered(site)


def tile_of(page: Page) -> Locator:
    return page.locator('[data-camera="gate"]')


def registered(site: Site) -> set[str]:
    with site.client() as client:
        return {name.decode() for name in client.hkeys(CAMERAS)}


def add_one_that_fails(page: Page) -> None:
    add(page)
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Address").fill(f"rtsp://127.0.0.1:{free_port()}/nothing")
    dialog.get_by_label("Name").fill("gate")
    # The models are known: what the form holds does not change after the test.
    expect(dialog.locator("[data-stage]").first).to_be_visible()
    trial(page, "connection refused")
    expect(dialog.locator(".trial-place")).to_contain_text(FaultCode.REFUSED.advice)
    dialog.get_by_role("button", name="Add anyway").click()
    expect(dialog).to_have_count(0)
    expect(tile_of(page).locator(".why")).to_contain_text("connection refused")
    page.evaluate("location.hash = '#/camera/gate'")
    expect(page.locator(".why")).to_contain_text(FaultCode.REFUSED.advice)
    page.evaluate("location.hash = '#/'")


def repair(page: Page, port: int) -> None:
    dialog = page.get_by_role("dialog")
    page.get_by_role("button", name="Edit gate").click()
    address, password = dialog.get_by_label("Address"), dialog.get_by_label("Password")
    address.fill(f"rtsp://127.0.0.1:{port}/locked")
    trial(page, "asks for a user")
    dialog.get_by_label("User").fill(USER)
    password.fill(PASSWORD)
    trial(page, "Connected")
    expect(dialog.get_by_role("img", name="One frame of the camera")).to_be_visible()
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    next_frame(tile_of(page).locator("canvas"))
    expect(tile_of(page).locator(".why")).to_have_count(0)


def assert_its_password_is_told_nobody(page: Page, site: Site) -> None:
    assert PASSWORD not in page.content()
    answer = page.request.get(f"{site.url}/api/v1/cameras").text()
    assert "/locked" in answer
    assert PASSWORD not in answer
    with site.client() as client:
        assert PASSWORD not in str(client.hgetall(CAMERAS))


def pause_and_resume(page: Page) -> None:
    why = tile_of(page).locator(".why")
    page.get_by_role("button", name="Pause gate").click()
    expect(why).to_contain_text("Paused")
    page.get_by_role("button", name="Resume gate").click()
    expect(why).to_have_count(0)
    next_frame(tile_of(page).locator("canvas"))


def remove(page: Page) -> None:
    dialog = page.get_by_role("dialog")
    page.get_by_role("button", name="Remove gate").click()
    expect(dialog).to_contain_text("Remove gate?")
    dialog.get_by_role("button", name="Keep it").click()
    expect(tile_of(page)).to_have_count(1)
    page.get_by_role("button", name="Remove gate").click()
    dialog.get_by_role("button", name="Remove", exact=True).click()
    expect(tile_of(page)).to_have_count(0)


def test_what_is_wrong_is_said_at_its_field(pages: Pages, site: Site) -> None:
    pages.allowed.append("422")
    page = pages.open(f"{site.url}/{CALM}")
    dialog = page.get_by_role("dialog")
    add(page)
    save = dialog.get_by_role("button", name="Add camera")
    save.click()
    address, name = dialog.get_by_label("Address"), dialog.get_by_label("Name")
    expect(address).to_have_attribute("aria-invalid", "true")
    address.fill("gopher://192.0.2.1/")
    name.fill("drawn")
    save.click()
    expect(name).to_have_attribute("aria-invalid", "true")  # there is one of that name
    name.fill("porch")
    save.click()
    expect(dialog).to_contain_text("gopher")
    address.fill("test://")
    dialog.get_by_text("More options").click()
    dialog.get_by_label("Crop").fill("0.5, 0, 0.1, 1")
    dialog.get_by_label("Blackout areas").fill("0,0 1,0 1,1\n0,0 1,1 x")
    save.click()
    expect(dialog).to_contain_text("expected left < right")
    expect(dialog).to_contain_text("area 2, corner 3")
    leave(dialog)
    assert "porch" not in registered(site)


def test_a_test_shows_one_frame_with_its_boxes(loaded: Page, site: Site) -> None:
    page = loaded
    dialog = page.get_by_role("dialog")
    before = registered(site)
    add(page)
    dialog.get_by_label("Address").fill("test://?size=640x360&fps=10")
    expect(dialog.get_by_label("The test image")).to_be_checked()  # the models are known
    dialog.get_by_text("More options").click()
    dialog.get_by_label("Crop").fill("0, 0, 1, 0.9")
    trial(page, "Connected")
    shown = dialog.get_by_role("img", name="One frame of the camera: 1 red, 1 green, 1 blue")
    expect(shown).to_be_visible()
    black_out_the_red_box(dialog)
    trial(page, "Connected")
    shown = dialog.get_by_role("img", name="One frame of the camera: 1 green, 1 blue")
    expect(shown).to_be_visible()
    assert registered(site) == before, "a test adds nothing"
    leave(dialog)


def black_out_the_red_box(dialog: Locator) -> None:
    """Draw over the upper row of an image whose lower tenth is cut off."""
    areas = dialog.get_by_label("Blackout areas")
    dialog.get_by_role("button", name="Draw a blackout area").click()
    box = dialog.locator(".trial-picture").bounding_box()
    assert box is not None
    for x, y in ((0, 0.1), (0.999, 0.1), (0.999, 0.36), (0, 0.36)):
        image = dialog.locator(".trial-picture")
        image.click(position={"x": x * box["width"], "y": y * box["height"]})
    dialog.get_by_role("button", name="Black out").click()
    numbers = [float(each) for each in areas.input_value().replace(",", " ").split()]
    assert numbers == pytest.approx([0, 0.09, 1, 0.09, 1, 0.324, 0, 0.324], abs=0.01)


def test_the_kind_of_an_address_is_told(loaded: Page) -> None:
    add(loaded)
    dialog = loaded.get_by_role("dialog")
    for url, hint in {
        "http://192.0.2.10/video": "MJPEG: JPEG images over HTTP",
        "http://192.0.2.10/a.M3U8?x=.mp4": "HTTP Live Streaming",
        "https://192.0.2.10/clips/a.mp4#t": "A video file on a web server.",
        "ts+http://192.0.2.10/a.mp4": "MPEG-TS over HTTP that never ends.",
        "snapshot+http://192.0.2.10/a.jpg": "One JPEG or PNG image each time",
    }.items():
        dialog.get_by_label("Address").fill(url)
        expect(dialog).to_contain_text(hint)
        expect(dialog.get_by_label("User")).to_be_visible()
    leave(dialog)


def test_a_made_up_kind_of_source_is_offered(pages: Pages, site: Site) -> None:
    """The form knows of kinds what the API says, and nothing else."""
    made: dict[str, Any] = {
        "title": "Made up",
        "start": "made://",
        "example": "made://192.0.2.10:9000",
        "hint": "A made-up camera.",
        "plain": None,
        "endings": [],
        "schemes": {"made": {"port": None, "protocol": "udp", "transports": ["tcp"]}},
        "models": ["test-boxes", "test-lane"],
    }
    page = pages.open(f"{site.url}/{CALM}")
    page.route("**/api/v1/sources", lambda route: route.fulfill(json=[made]))
    late: list[Route] = []
    page.route("**/api/v1/models", lambda route: late.append(route), times=1)  # noqa: PLW0108
    dialog = page.get_by_role("dialog")
    with page.expect_request("**/api/v1/models"):
        add(page)
    address = dialog.get_by_label("Address")
    expect(address).to_have_attribute("placeholder", made["example"])
    dialog.get_by_role("button", name="Made up").click()
    expect(address).to_have_value("made://")
    expect(dialog).to_contain_text("A made-up camera.")
    address.fill("made://barn:9000/live")
    expect(dialog.get_by_label("Name")).to_have_value("barn")
    expect(dialog.get_by_label("Password")).to_be_visible()
    late.pop().continue_()  # the models are known only after the address was typed
    expect(dialog.get_by_label("The test image")).to_be_checked()
    address.fill("file:clip.mp4")
    expect(dialog.get_by_label("Password")).to_have_count(0)


def test_stages_of_the_users_choice(loaded: Page, site: Site) -> None:
    page = loaded
    dialog = page.get_by_role("dialog")
    add(page)
    dialog.get_by_label("Address").fill("test://?size=320x180&fps=5")
    dialog.get_by_label("Name").fill("chosen")
    expect(dialog.get_by_label("The test image")).to_be_checked()  # the models are known
    dialog.get_by_text("Custom").click()
    rows = dialog.locator("[data-stage]")
    while rows.count():
        rows.first.get_by_role("button", name="Remove").click()
    for model in ("test-boxes", "face"):
        dialog.get_by_role("button", name="Add a model").click()
        rows.last.get_by_label("Model").select_option(model)
    expect(rows.first).to_contain_text("finds red, green, blue")
    expect(rows.last.get_by_label("Runs on")).to_have_value("red")  # it is made for crops
    rows.last.get_by_label("Model").select_option("test-lane")
    expect(rows.last.get_by_label("Runs on")).to_have_value("")
    rows.last.get_by_label("Runs on").select_option("green")
    rows.first.get_by_label("Minimum score of test-boxes").fill("0.25")
    dialog.get_by_role("button", name="Add camera").click()
    expect(dialog).to_have_count(0)
    spec = page.request.get(f"{site.url}/api/v1/cameras/chosen").json()["spec"]
    assert spec["stages"] == [
        {"model": "test-boxes", "threshold": 0.25},
        {"model": "test-lane", "on": "green"},
    ]
    page.request.delete(f"{site.url}/api/v1/cameras/chosen")


def test_a_made_up_kind_is_a_stage_of_the_form(pages: Pages, site: Site) -> None:
    """Its fields come from the API, which is notified of a kind that this server does not have."""
    page = pages.open(f"{site.url}/{CALM}")
    kinds = page.request.get(f"{site.url}/api/v1/stages").json()
    page.route(
        "**/api/v1/stages",
        lambda route: route.fulfill(json=[*kinds, TallyStage.form().model_dump()]),
    )
    bodies: list[dict[str, Any]] = []

    def keep(route: Route) -> None:
        bodies.append(route.request.post_data_json or {})
        route.fulfill(status=201, json={})

    page.route("**/api/v1/cameras", keep)
    dialog = page.get_by_role("dialog")
    add(page)
    dialog.get_by_label("Address").fill("test://")
    dialog.get_by_label("Name").fill("counted")
    expect(dialog.get_by_label("The test image")).to_be_checked()  # the models are known
    dialog.get_by_text("Custom").click()
    dialog.get_by_role("button", name="Add a tally").click()
    row = dialog.locator("[data-stage]").last
    row.get_by_label("Counts").select_option("red")
    row.get_by_label("Side").select_option("right")
    row.get_by_label("Every s").fill("2,5")
    row.get_by_label("Told apart by").select_option("test-lane")
    expect(row).to_contain_text("masks of lane")
    expect(row.get_by_role("button", name="Remove red")).to_be_visible()
    dialog.get_by_role("button", name="Add camera").click()
    expect(dialog).to_have_count(0)
    assert bodies[0]["stages"][-1] == {
        "tally": "red",
        "side": "right",
        "every_s": 2.5,
        "model": "test-lane",
    }

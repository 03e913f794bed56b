"""Clips of an RTSP camera on its page: recorded, played with what was found, deleted."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Locator, Page, Route, expect

from pipeline.cameras.synthetic import LABELS, LANE, picture, read_number, truth
from pipeline.gst.clips import encode_pictures, read_clip
from tests.support import ROOT
from tests.support.canvas_pixels import colour_of, near, next_frame, shoot
from tests.support.live_site import Site, added, ask, until
from tests.support.opened_pages import Pages
from tests.support.rtsp_manners import Manners, MannersServer

pytestmark = pytest.mark.rtsp

SIZE, FPS, FRAMES = (320, 176), 10, 50
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
RULE = {"before_s": 2, "after_s": 1, "on": ["zone-entered"]}
STAGES = [
    *({"model": "test-boxes"}, {"model": "test-lane"}),
    *({"track": "bytetrack"}, {"zones": {}}),
]
EVERYWHERE = {"polygon": [[0, 0], [1, 0], [1, 1], [0, 1]]}
BLUNDERS = (ROOT / "tests/support/blunders.js").read_text()
PLAYS = "() => document.createElement('video').canPlayType('video/mp4; codecs=\"avc1.42E01E\"')"
# In one turn of the page's loop: the image that is shown, and what is drawn over it.
IMAGE = """video => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  canvas.getContext("2d").drawImage(video, 0, 0);
  return canvas.toDataURL("image/png");
}"""


@pytest.fixture(scope="module")
def clipped(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An RTSP camera that remembers its last seconds."""
    file = tmp_path_factory.mktemp("clipped") / "drawn.mp4"
    encode_pictures((picture(n, *SIZE) for n in range(FRAMES)), FPS, file)
    with MannersServer(Manners(read_clip(file))) as server:
        keys = {"url": server.url(), "stages": STAGES, "clips": RULE}
        with added(site, {"clipped": keys}):
            yield "clipped"


def opened(pages: Pages, site: Site, **options: Any) -> Page:
    page = pages.open(f"{site.url}/#/camera/clipped", **options)
    if not page.evaluate(PLAYS):
        pytest.skip("this chromium is built without H.264")
    next_frame(page.locator("canvas.picture"))
    return page


def recorded(page: Page) -> Locator:
    """The row of a clip that is recorded now."""
    page.locator(".clip-list, .clips .nothing").first.wait_for()
    before = page.locator(".clip-row").count()
    page.get_by_role("button", name="Record a clip now").click()
    expect(page.locator(".clip-row")).to_have_count(before + 1)
    return page.locator(".clip-row").first


def image_of(video: Locator) -> NDArray[np.uint8]:
    png = base64.b64decode(str(video.evaluate(IMAGE)).partition(",")[2])
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return np.asarray(image[..., ::-1], np.uint8)


def number_of(video: Locator) -> int:
    """The number in the image that the video shows."""

    def read() -> tuple[int] | None:
        number = read_number(image_of(video))
        return None if number is None else (number,)

    (number,) = until(read, what="for an image with a number")
    return int(number)


def is_framed(page: Page, canvas: Locator, video: Locator) -> bool:
    """Whether boxes and mask of the video's image are what is drawn, and little else."""
    number = number_of(video)
    shot = shoot(canvas)
    left, top, across, down = shot.placed(*SIZE)
    scale = np.array([across / SIZE[0], down / SIZE[1]] * 2)
    boxes = truth(number, *SIZE)[0].xyxy * scale + [left, top] * 2
    for label, box in zip(LABELS, boxes, strict=True):
        is_drawn = near(shot.image, colour_of(page, label), 12)
        x, y = int(box[[0, 2]].mean()), int(box[[1, 3]].mean())
        at_left = is_drawn[y - 2 : y + 3, int(box[0]) - 6 : int(box[0]) + 7]
        at_foot = is_drawn[int(box[3]) - 6 : int(box[3]) + 7, x - 2 : x + 3]
        if not (at_left.any() and at_foot.any()):
            return False
    is_masked = near(shot.image, colour_of(page, LANE), 12).any()
    return bool(is_masked and shot.image.any(axis=-1).mean() < 0.2)


def test_boxes_lie_on_the_objects_of_the_very_image(pages: Pages, site: Site, clipped: str) -> None:
    page = opened(pages, site)
    row = recorded(page)
    expect(row).to_contain_text("On request")
    expect(row.locator("img")).to_be_visible()
    row.click()
    player = page.get_by_role("dialog", name="On request")
    video, canvas = player.locator("video"), player.locator("canvas")
    until(lambda: video.evaluate("v => v.currentTime") > 0.2, what="for the video to play")
    video.evaluate("v => v.pause()")  # by script: it may have ended by itself
    player.get_by_role("button", name="Labels").click()
    assert page.evaluate(BLUNDERS) == []
    told = ask("GET", str(video.evaluate("v => v.src")).replace(".mp4", ".json")).json()
    seconds = video.evaluate("v => v.duration")
    # Of the camera's clock each image is 0.1 s from the next. Those of arrival come in one burst:
    # of these, and of one just behind them, the browser may show another than that of the moment.
    found = [one["detections"] for one in told["frames"]]
    places = [one["ts"] - told["began"] for one in found if one["ts_source"] == "rtcp"]
    analysed = [place for place in places if places[0] + 0.25 < place < seconds - 0.2]
    for place in analysed[:: len(analysed) // 3 + 1]:
        video.evaluate("(v, at) => { v.currentTime = at; }", place + 0.008)
        until(lambda: not video.evaluate("v => v.seeking"))
        until(partial(is_framed, page, canvas, video), what=f"for the boxes at {place:.3f} s")
    assert analysed
    player.get_by_label("Place in the clip").fill("0.4")
    assert video.evaluate("v => v.currentTime") == pytest.approx(0.4)
    player.get_by_role("button", name="Boxes").click()
    assert not near(shoot(canvas).image, colour_of(page, LABELS[0]), 12).any()
    with page.expect_download() as download:
        player.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename.startswith("clipped-")
    player.get_by_role("button", name="Delete").click()
    expect(player.get_by_role("alert")).to_contain_text("Delete the clip")
    player.get_by_role("button", name="Delete").click()
    expect(player).to_have_count(0)
    expect(page.locator(".clip-row")).to_have_count(0)


REFUSED = {
    409: ("No clip was made", "no encoded images are in memory: the camera gives raw ones"),
    507: ("There is no room for a clip", "clips.folder: /srv/clips: No space left on device"),
}


def refuse(status: int, words: str, route: Route) -> None:
    route.fulfill(status=status, json={"detail": words})


def test_why_no_clip_is_made_is_said_and_how_far_one_is(
    pages: Pages, site: Site, clipped: str
) -> None:
    pages.allowed.append("status of (409|507)")
    page = opened(pages, site)
    notice = page.locator(".clips .notice")
    for status, (title, words) in REFUSED.items():
        page.route("**/cameras/clipped/clips", partial(refuse, status, words))
        page.get_by_role("button", name="Record a clip now").click()
        expect(notice).to_contain_text(title)
        expect(notice).to_contain_text(words)
    begun = {"id": "20261129-041503-250", "begins": time.time() - 2, "ends": time.time() + 600}
    page.route("**/cameras/clipped/clips", lambda route: route.fulfill(status=202, json=begun))
    page.get_by_role("button", name="Record a clip now").click()
    expect(notice).to_have_count(0)
    expect(page.locator(".clip-progress")).to_contain_text("s left")
    assert 0 <= float(page.get_by_role("progressbar").get_attribute("value") or 1) < 0.5


def test_the_card_of_an_event_plays_its_clip_on_a_phone(
    pages: Pages, site: Site, clipped: str
) -> None:
    page = opened(pages, site, **PHONE)
    assert page.evaluate(BLUNDERS) == []
    rules = f"{site.url}/api/v1/cameras/{clipped}/zones"
    ask("PUT", rules, json={"zones": {"court": EVERYWHERE}}).raise_for_status()
    page.evaluate("location.hash = '#/events?camera=clipped'")
    card = page.locator(".event", has_text="entered court").first
    card.get_by_role("button", name="Play the clip").tap()
    player = page.get_by_role("dialog")  # says that it waits until the clip is whole
    video = player.locator("video")
    until(lambda: video.count() and video.evaluate("v => v.currentTime") > 0, what="for the clip")
    assert page.evaluate(BLUNDERS) == []
    assert "entered court" in str(player.get_attribute("aria-label"))
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    ask("PUT", rules, json={"zones": {}}).raise_for_status()
    card.locator(".event-image").click()
    page.get_by_role("dialog").get_by_role("button", name="Play the clip").click()
    until(lambda: video.count() and video.evaluate("v => v.currentTime") > 0, what="for the clip")


SHOWN = """async (gap) => {
  const { framesOf, placeAt } = await import("/static/clips/clip_results.js");
  const detections = (n) => ({ detections: { ts: 100 + n * gap } });
  const frames = framesOf({ began: 100, frames: [2, 0, 1].map(detections) });
  return [0, 1.4, 1.6, 2.4, 4].map((gaps) => placeAt(frames, gaps * gap));
}"""


@pytest.mark.parametrize(("gap_s", "places"), [(0.1, [0, 1, 1, 2, 2]), (2.0, [0, 1, 1, 2, -1])])
def test_a_result_lasts_until_the_next_one_is_due(
    scripts: Page, gap_s: float, places: list[int]
) -> None:
    """At any rate of results, and for half a second at least."""
    assert scripts.evaluate(SHOWN, gap_s) == places

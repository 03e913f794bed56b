"""From ``models import`` to a drawn result: rotated boxes, several heads, vectors as shown."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Locator, Page, expect

import engines
import mirante
from engines.convert.asked import Asked, InputKeys
from engines.convert.importing import import_model
from engines.manifest import ZOO
from mirante.rotated import corners
from pipeline.cameras.synthetic import LABELS, LANE, LANE_COLOUR, picture, truth
from tests.support.canvas_pixels import Shot, colour_of, near, next_frame, shoot
from tests.support.live_site import DRAWN_SIZE, Site, added
from tests.support.opened_pages import Pages

URL = "test://?size={}x{}&fps=5".format(*DRAWN_SIZE)
TINT = 0.45  # of the mask's colour, the rest is the image's
FAMILIES: dict[str, dict[str, Any]] = {
    "test-oriented": {"labels": (*LABELS, "band")},
    "test-heads": {"labels": (*LABELS, "drivable", LANE)},
    "test-embedding": {"task": "embed"},
}


@pytest.fixture(scope="module")
def families(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Cameras of which each runs a network that was imported, by ``--decoder auto``."""
    folder = tmp_path_factory.mktemp("families")
    np.savez(folder / "seen.npz", *(picture(n, *DRAWN_SIZE) for n in (0, 7)))
    made = {}
    for name, known in FAMILIES.items():
        asked = Asked(
            source=str(ZOO / f"{name}.onnx"),
            name=f"own-{name}",
            out=folder / "models",
            frames=str(folder / "seen.npz"),
            input=InputKeys(scale=1.0, resize="letterbox-top-left"),
            **known,
        )
        made[name] = str(import_model(asked).manifest)
    vectors = {"model": made["test-embedding"], "on": "red", "publish": True}
    cameras = {
        "turned": [{"model": made["test-oriented"]}],
        "heads": [{"model": made["test-heads"]}],
        "vectors": [{"model": "test-boxes"}, vectors],
    }
    with added(site, {name: {"url": URL, "stages": stages} for name, stages in cameras.items()}):
        yield site


@pytest.fixture(scope="module")
def page(lasting: Pages, families: Site) -> Page:
    opened = lasting.open(families.url)
    opened.get_by_role("button", name="Labels", exact=True).click()  # words cover what is drawn
    return opened


def tile(page: Page, camera: str) -> Locator:
    found = page.locator(f'article[data-camera="{camera}"] canvas[data-seq]')
    found.wait_for()
    next_frame(found)
    return found


def on_canvas(shot: Shot, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(…, 2) points of the source frame in pixels of the canvas."""
    left, top, across, down = shot.placed(*DRAWN_SIZE)
    scale = np.array([across / DRAWN_SIZE[0], down / DRAWN_SIZE[1]])
    return np.asarray(points * scale + (left, top), np.float64)


def share_drawn(shot: Shot, outline: NDArray[np.float64], colour: NDArray[np.int16]) -> float:
    """Of points along an outline's sides the share that is of the colour, within a pixel.

    What lies outside the image is cut off.
    """
    seen = []
    left, top, across, down = shot.placed(*DRAWN_SIZE)
    drawn = near(shot.image, colour, 40)
    for start, end in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        for part in np.linspace(0.05, 0.95, 40):
            x, y = np.round(start + (end - start) * part).astype(int)
            if not (left < x < left + across - 1 and top < y < top + down - 1):
                continue
            seen.append(drawn[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].any())
    assert len(seen) > 60, "hardly any of it is in the image"
    return float(np.mean(seen))


def test_rotated_boxes_are_drawn_turned(page: Page) -> None:
    canvas = tile(page, "turned")
    model = engines.load("test-oriented")
    for _ in range(3):
        next_frame(canvas)
        shot = shoot(canvas)
        found = model(picture(shot.seq, *DRAWN_SIZE)).detections
        assert found.rotated is not None
        for class_id, label in enumerate(LABELS):
            outline = on_canvas(shot, corners(found.rotated[found.class_id == class_id])[0])
            assert share_drawn(shot, outline, colour_of(page, label)) > 0.9, label
        (band,) = found.rotated[found.class_id == 3]
        assert abs(math.sin(2 * band[4])) > 0.5, "the band is slanted"
        colour = colour_of(page, "band")
        assert share_drawn(shot, on_canvas(shot, corners(band[None])[0]), colour) > 0.9
        (left, top, right, bottom) = found.xyxy[found.class_id == 3][0]
        upright = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
        assert share_drawn(shot, on_canvas(shot, upright), colour) < 0.2, "an upright box is drawn"


def test_all_heads_of_a_network_are_drawn(page: Page) -> None:
    canvas = tile(page, "heads")
    for _ in range(3):
        next_frame(canvas)
        shot = shoot(canvas)
        boxes, mask = truth(shot.seq, *DRAWN_SIZE)
        for label, (left, top, right, bottom) in zip(LABELS, boxes.xyxy, strict=True):
            outline = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
            drawn = share_drawn(shot, on_canvas(shot, outline), colour_of(page, label))
            assert drawn > 0.9, label
        rows, columns = mask.plane(LANE).nonzero()
        inside = np.stack([columns, rows], axis=1)[:: len(rows) // 50].astype(float) + 0.5
        x, y = np.floor(on_canvas(shot, inside)).astype(int).T
        tinted = (1 - TINT) * np.array(LANE_COLOUR) + TINT * colour_of(page, LANE)
        assert near(shot.image[y, x][None], tinted, 40).mean() > 0.8, "the lane is not tinted"
    for label in LABELS:
        expect(page.get_by_role("button", name=label, exact=True).first).to_be_visible()


def test_vectors_are_shown_and_received(loaded: Page, families: Site) -> None:
    loaded.evaluate("location.hash = '#/camera/vectors'")
    message = loaded.get_by_label("The message as JSON")
    expect(message).to_contain_text('"embeddings"')
    expect(message).to_contain_text('"model": "own-test-embedding"')
    expect(message).to_contain_text('"size": 48')
    with mirante.subscribe("vectors", redis=families.redis.url, timeout_s=60) as frames:
        frame = next(iter(frames))
    red = frame.detections.of("red")
    vector = red.embeddings_of(0)["own-test-embedding"]
    assert vector.shape == (48,)
    assert float(np.linalg.norm(vector.astype(float))) == pytest.approx(1, abs=1e-3)
    assert not frame.detections.of("blue").embeddings_of(0)


def test_the_form_says_what_each_head_finds_and_offers_vectors(loaded: Page, site: Site) -> None:
    page = loaded
    page.get_by_role("banner").get_by_role("button", name="Add a camera").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Address").fill(URL)
    dialog.get_by_label("Name").fill("chosen")
    expect(dialog.get_by_label("The test image")).to_be_checked()  # the models are known
    dialog.get_by_text("Custom").click()
    rows = dialog.locator("[data-stage]")
    while rows.count():
        rows.first.get_by_role("button", name="Remove").click()
    for model in ("test-heads", "test-embedding"):
        dialog.get_by_role("button", name="Add a model").click()
        rows.last.get_by_label("Model").select_option(model)
    expect(rows.first).to_contain_text("finds red, green, blue; masks of drivable, lane")
    expect(rows.first.get_by_label("Publish embeddings")).to_have_count(0)
    expect(rows.last.get_by_label("Runs on")).to_have_value("red")  # it describes boxes
    expect(rows.last).to_contain_text("gives a vector of each box")
    rows.last.get_by_label("Publish embeddings").check()
    dialog.get_by_role("button", name="Add camera").click()
    expect(dialog).to_have_count(0)
    spec = page.request.get(f"{site.url}/api/v1/cameras/chosen").json()["spec"]
    assert spec["stages"] == [
        {"model": "test-heads"},
        {"model": "test-embedding", "on": "red", "publish": True},
    ]
    page.request.delete(f"{site.url}/api/v1/cameras/chosen")

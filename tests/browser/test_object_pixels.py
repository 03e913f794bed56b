"""From ``models import`` to the canvas: masks and key points of objects, at the right pixels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Locator, Page, expect

from engines.manifest import ZOO, find, read
from pipeline.cameras.synthetic import LABELS, truth
from pipeline.cli.app import run
from tests.support.canvas_pixels import Shot, colour_of, near, next_frame, shoot
from tests.support.live_site import DRAWN, DRAWN_SIZE, Site, added
from tests.support.onnx_networks import crop_points
from tests.support.opened_pages import Pages

TINT = 0.45  # of the mask's colour, the rest is the image's
PURE = np.eye(3, dtype=np.float64) * 255
POINT_PX = 3
NAMES = find("test-pose").keypoints


FED = ("--labels", ",".join(LABELS), "--resize", "letterbox-top-left", "--scale", "1")


def imported(folder: Path, file: Path, *options: str) -> Path:
    """The manifest that ``mirante models import`` makes of a file of that layout."""
    name = file.stem
    out = folder / name
    asked = (str(file), "--name", name, "--out", str(out), *options)
    assert run(["models", "import", *asked]) == 0
    return out / f"{name}.yaml"


@pytest.fixture(scope="module")
def objects(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Cameras with networks that were just imported, in the layouts of YOLO's exports."""
    folder = tmp_path_factory.mktemp("objects")
    outlined = imported(folder, ZOO / "test-instances.onnx", *FED)
    edges = ",".join(f"{start}-{end}" for start, end in find("test-pose").skeleton)
    named = ("--keypoints", ",".join(NAMES), "--skeleton", edges)
    posed = imported(folder, ZOO / "test-pose.onnx", *FED, *named)
    named = ("--keypoints", "left,right,hidden", "--skeleton", "0-1,0-2,1-2")
    arms = imported(folder, crop_points(folder / "arms.onnx"), *named, "--labels", "person")
    assert (read(outlined).task, read(outlined).decoder) == ("instances", "yolov8_seg")
    assert (read(posed).task, read(posed).decoder) == ("pose", "yolov8_pose")
    assert (read(arms).task, read(arms).decoder) == ("landmarks", "movenet")
    on_boxes = [{"model": "test-boxes"}, {"model": str(arms), "on": "red"}]
    cameras = {
        "crops": DRAWN | {"stages": on_boxes},
        "outlined": DRAWN | {"stages": [{"model": str(outlined)}]},
        "posed": DRAWN | {"stages": [{"model": str(posed)}]},
    }
    with added(site, cameras):
        yield site


@pytest.fixture(scope="module")
def page(lasting: Pages, objects: Site) -> Page:
    """The wall, without words and boxes."""
    opened = lasting.open(objects.url)
    for layer in ("Labels", "Boxes"):
        opened.get_by_role("button", name=layer, exact=True).click()
    return opened


def canvas_of(page: Page, camera: str) -> Locator:
    """The tile's image."""
    found = page.locator(f'article[data-camera="{camera}"] canvas[data-seq]')
    found.wait_for()
    return found


def on_canvas(shot: Shot) -> tuple[NDArray[np.float64], float]:
    """Truth's boxes in pixels of the canvas, and pixels of it per pixel of the frame."""
    left, top, across, _ = shot.placed(*DRAWN_SIZE)
    scale = across / DRAWN_SIZE[0]
    boxes, _ = truth(shot.seq, *DRAWN_SIZE)
    return np.asarray(boxes.xyxy * scale + np.array((left, top) * 2), np.float64), scale


def test_each_object_is_tinted_inside_its_outline(page: Page) -> None:
    canvas = canvas_of(page, "outlined")
    tints = [(1 - TINT) * PURE[i] + TINT * colour_of(page, n) for i, n in enumerate(LABELS)]
    for _ in range(3):
        next_frame(canvas)
        shot = shoot(canvas)
        boxes, scale = on_canvas(shot)
        for tint, box in zip(tints, boxes, strict=True):
            is_tinted = near(shot.image, tint, 40)
            edge = int(np.ceil(4 * scale))
            left, top, right, bottom = np.round(box).astype(int)
            inner = is_tinted[top + edge : bottom - edge, left + edge : right - edge]
            assert inner.mean() > 0.98, "the object is not tinted"
            beside = is_tinted.copy()
            beside[top - edge : bottom + edge, left - edge : right + edge] = False
            assert beside.mean() < 0.001, "pixels of no object are tinted"
    page.get_by_role("button", name="Masks", exact=True).click()
    shot = shoot(canvas)
    boxes, scale = on_canvas(shot)
    left, top, right, bottom = np.round(boxes[0]).astype(int)
    middle = shot.image[top + 8 : bottom - 8, left + 8 : right - 8]
    assert near(middle, PURE[0], 60).mean() > 0.98, "without its mask the object is as it was"
    page.get_by_role("button", name="Masks", exact=True).click()


def is_near(drawn: NDArray[np.bool_], x: float, y: float) -> bool:
    """Whether a pixel at the place, or next to it, is drawn."""
    column, row = round(x), round(y)
    return bool(drawn[row - 1 : row + 2, column - 1 : column + 2].any())


def test_points_and_lines_are_drawn_where_they_are(page: Page) -> None:
    canvas = canvas_of(page, "posed")
    colours = [colour_of(page, label) for label in LABELS]
    for _ in range(3):
        next_frame(canvas)
        shot = shoot(canvas)
        boxes, _ = on_canvas(shot)
        for colour, box in zip(colours, boxes, strict=True):
            drawn = near(shot.image, colour, 12)
            left, top, right, bottom = (float(side) for side in box)
            corners = ((left, top), (right, top), (right, bottom), (left, bottom))
            x, y = (left + right) / 2, (top + bottom) / 2
            assert all(is_near(drawn, *at) for at in (*corners, (x, y))), "a point is missing"
            along = [
                (x + (corner[0] - x) * share, y + (corner[1] - y) * share)
                for corner in corners
                for share in (0.2, 0.35, 0.5, 0.65, 0.8)
            ]
            assert all(is_near(drawn, *at) for at in along), "a line is missing"
            beside = drawn.copy()
            edge = POINT_PX + 3
            beside[int(top) - edge : int(bottom) + edge, int(left) - edge : int(right) + edge] = (
                False
            )
            assert beside.mean() < 0.001, "something is drawn elsewhere"
    button = page.get_by_role("button", name="Key points", exact=True)
    expect(button).to_have_attribute("aria-pressed", "true")
    button.click()
    shot = shoot(canvas)
    assert all(near(shot.image, colour, 12).mean() < 0.001 for colour in colours)
    button.click()


def test_points_that_were_found_on_a_crop_are_drawn_on_its_object(page: Page) -> None:
    """The crop is as wide as the tensor's proportions ask for, about the middle of the box."""
    canvas = canvas_of(page, "crops")
    colours = [colour_of(page, label) for label in LABELS]
    for _ in range(3):
        next_frame(canvas)
        shot = shoot(canvas)
        boxes, _ = on_canvas(shot)
        left, top, right, bottom = (float(side) for side in boxes[0])
        unit = max((right - left) / 64, (bottom - top) / 48)
        middle = ((left + right) / 2, (top + bottom) / 2)
        drawn = near(shot.image, colours[0], 12)
        for across, down in ((-0.375, -0.25), (0.375, 0.25), (0.2, 2 / 15), (-0.1, -1 / 15)):
            x, y = middle[0] + across * 64 * unit, middle[1] + down * 48 * unit
            assert is_near(drawn, x, y), "a point, or the line between them, is missing"
        assert not any(near(shot.image, colour, 12).mean() > 0.001 for colour in colours[1:])

"""The right boxes and masks, at the right pixels, on the right frame: truth against a canvas."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Locator, Page, expect

from mirante.detections import Detections
from pipeline.cameras.synthetic import LABELS, LANE, LANE_COLOUR, truth
from tests.support.canvas_pixels import Shot, colour_of, hide, near, next_frame, shoot, still
from tests.support.live_site import DRAWN_SIZE, Site
from tests.support.opened_pages import Pages

FRAMES = 5
TINT = 0.45  # of the mask's colour, the rest is the image's
LINE_PX = 2
ABOUT = 8  # pixels around a box in which its lines are looked for
LEAST_LINE = 60  # pixels of a class's colour that are no chance


@pytest.fixture(scope="module")
def page(lasting: Pages, site: Site) -> Page:
    """The wall, without the words at the boxes, which cover what is measured.

    Tests leave on it what they found.
    """
    opened = lasting.open(site.url)
    opened.get_by_role("button", name="Labels", exact=True).click()
    return opened


@pytest.fixture
def canvas(page: Page) -> Locator:
    """The tile's image."""
    return image_of(page)


@pytest.fixture
def own_page(pages: Pages, site: Site) -> Page:
    """The wall of a test that changes what is drawn, and leaves it so."""
    opened = pages.open(site.url)
    opened.get_by_role("button", name="Labels", exact=True).click()
    return opened


def image_of(page: Page) -> Locator:
    found = page.locator('article[data-camera="drawn"] canvas[data-seq]')
    found.wait_for()
    return found


def shots(canvas: Locator) -> Iterator[Shot]:
    """Some frames, one after another."""
    for _ in range(FRAMES):
        next_frame(canvas)
        yield shoot(canvas)


def edges(shot: Shot, boxes: Detections) -> NDArray[np.float64]:
    """Truth's boxes in pixels of the canvas: (n, 4) left, top, right, bottom."""
    left, top, across, down = shot.placed(*DRAWN_SIZE)
    scale = np.array([across / DRAWN_SIZE[0], down / DRAWN_SIZE[1]] * 2)
    return np.asarray(boxes.xyxy * scale + np.array((left, top) * 2), np.float64)


def outline(
    shot: Shot, colour: NDArray[np.int16], box: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], list[int]]:
    """Pixels of a class's colour about a box, and what lines enclose: left, top, right, bottom.

    A line is where most pixels of a row or column have the colour: others may have it by chance,
    where two colours of the image meet, and further away many of one column do.
    """
    left, top, right, bottom = np.round(box).astype(int) + np.array((-1, -1, 1, 1)) * ABOUT
    drawn = np.zeros(shot.image.shape[:2], bool)
    part = slice(max(0, top), bottom), slice(max(0, left), right)
    drawn[part] = near(shot.image[part], colour, 3)
    found = []
    for along in (0, 1):
        counts = drawn.sum(along)
        assert counts.max() > LEAST_LINE, "no line of the class's colour"
        found.append(np.nonzero(counts > counts.max() * 0.6)[0])
    (xs, ys) = found
    return drawn, [int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1]


def is_drawn(shot: Shot, colour: NDArray[np.int16]) -> bool:
    """Whether there are more pixels of the colour than there are by chance."""
    return int(near(shot.image, colour, 3).sum()) > LEAST_LINE


def test_boxes_and_picture_are_of_one_frame_and_at_the_right_pixels(
    page: Page, canvas: Locator
) -> None:
    colours = {label: colour_of(page, label) for label in LABELS}
    seen = set()
    for shot in shots(canvas):
        seen.add(shot.seq)
        assert shot.number(*DRAWN_SIZE) == shot.seq, "the image is of another frame"
        boxes, _ = truth(shot.seq, *DRAWN_SIZE)
        for label, box in zip(LABELS, edges(shot, boxes), strict=True):
            drawn, found = outline(shot, colours[label], box)
            half = LINE_PX / 2
            sides = np.round(box + np.array((-half, -half, half, half)))
            seen_of = np.clip(sides, 0, np.array(shot.image.shape[1::-1] * 2))
            assert np.abs(np.array(found) - seen_of).max() <= 1.5, (label, shot.seq)
            left, top, right, bottom = found
            # Of the line of an object at the image's edge a part is outside.
            wide = [max(1, LINE_PX - int(cut)) for cut in np.abs(sides - seen_of)]
            for line in (
                drawn[top:bottom, left : left + wide[0]],
                drawn[top : top + wide[1], left:right],
                drawn[top:bottom, right - wide[2] : right],
                drawn[bottom - wide[3] : bottom, left:right],
            ):
                assert line.mean() > 0.99, f"{label}: the outline has gaps"
            inside = drawn[top + 4 : bottom - 4, left + 4 : right - 4]
            assert inside.mean() < 0.01, f"{label}: more is drawn than an outline"
    assert len(seen) == FRAMES


def test_the_filled_boxes_of_the_picture_lie_inside_the_outlines(
    page: Page, canvas: Locator
) -> None:
    """The image's own pixels, so that an image at another place or scale is found."""
    pure = {"red": 0, "green": 1, "blue": 2}
    next_frame(canvas)
    shot = shoot(canvas)
    boxes, _ = truth(shot.seq, *DRAWN_SIZE)
    for label, box in zip(LABELS, edges(shot, boxes), strict=True):
        left, top, right, bottom = np.round(box).astype(int)
        colour = np.zeros(3, np.int16)
        colour[pure[label]] = 255
        inside = shot.image[top + 8 : bottom - 8, left + 8 : right - 8]
        assert near(inside, colour, 60).mean() > 0.99, label
        around = shot.image[top - 6 : top - 3, left:right]
        assert near(around, colour, 60).mean() < 0.01, label


def band(shot: Shot) -> NDArray[np.bool_]:
    """Truth's band in pixels of the canvas."""
    left, top, across, down = shot.placed(*DRAWN_SIZE)
    _, mask = truth(shot.seq, *DRAWN_SIZE)
    plane = mask.plane(LANE).astype(np.uint8)
    whole = np.zeros(shot.image.shape[:2], bool)
    scaled = cv2.resize(plane, (across, down), interpolation=cv2.INTER_NEAREST)
    whole[top : top + down, left : left + across] = scaled > 0
    return whole


def grown(region: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    """The region with so many pixels more, or fewer, all round."""
    kernel = np.ones((2 * abs(by) + 1,) * 2, np.uint8)
    work = cv2.dilate if by > 0 else cv2.erode
    return np.asarray(work(region.astype(np.uint8), kernel) > 0)


def tinted(page: Page) -> NDArray[np.float64]:
    """The band's colour under the mask's."""
    colour = colour_of(page, LANE)
    return np.asarray((1 - TINT) * np.array(LANE_COLOUR) + TINT * colour, np.float64)


def test_masks_are_tinted_at_the_right_pixels(page: Page, canvas: Locator) -> None:
    colour = tinted(page)
    for shot in shots(canvas):
        lane = band(shot)
        first = lane.nonzero()[0].min() - 4  # below the boxes
        image, lane = shot.image[first:], lane[first:]
        is_tinted = near(image, colour, 24)
        assert is_tinted[grown(lane, -4)].mean() > 0.99, "the band is not tinted"
        assert not is_tinted[~grown(lane, 3)].any(), "pixels outside the band are tinted"
        # A JPEG's colours are of 16 pixels together, two or three of the canvas each.
        ground = image[~grown(lane, 40)].astype(np.int16)
        assert len(ground) > 10_000
        assert np.abs(ground[:, 0] - ground[:, 2]).max() < 24, "the grey ground is coloured"


def test_a_mask_changes_its_own_pixels_and_no_others(
    page: Page, canvas: Locator, site: Site
) -> None:
    """One frame with and without its mask, so that what is beneath does not matter."""
    colour = colour_of(page, LANE)
    masks = page.get_by_role("button", name="Masks", exact=True)
    for _ in range(3):
        next_frame(canvas)
        still(page, canvas, site)
        with_mask = shoot(canvas)
        masks.click()
        without = shoot(canvas)
        masks.click()
        assert with_mask.seq == without.seq == shoot(canvas).seq
        changed = (with_mask.image != without.image).any(axis=-1)
        assert abs(int(changed.sum()) - int(band(without).sum())) < 0.02 * band(without).sum()
        wrong = changed != band(without)
        assert not (wrong & ~near_edge(band(without), 1.5)).any(), (
            "pixels of the mask are elsewhere"
        )
        mixed = (1 - TINT) * without.image + TINT * colour
        assert np.abs(with_mask.image - mixed)[changed].max() <= 3, "it is not the class's tint"
        hide(page, False)


def near_edge(region: NDArray[np.bool_], within_px: float) -> NDArray[np.bool_]:
    """Pixels as close as that to the region's edge, on either side."""
    return np.asarray(
        sum(
            cv2.distanceTransform(side.astype(np.uint8), cv2.DIST_L2, 5) * side
            for side in (region, ~region)
        )
        <= within_px
    )


def test_layers_and_classes_are_switched(own_page: Page) -> None:
    page, canvas = own_page, image_of(own_page)
    colours = {label: colour_of(page, label) for label in LABELS}
    masks = page.get_by_role("button", name="Masks", exact=True)
    expect(masks).to_have_attribute("aria-pressed", "true")
    masks.click()
    expect(masks).to_have_attribute("aria-pressed", "false")
    shot = shoot(canvas)  # no frame has to come: what is there is drawn again
    lane = grown(band(shot), -4)
    assert near(shot.image, np.array(LANE_COLOUR), 40)[lane].mean() > 0.99
    assert not near(shot.image, tinted(page), 24)[lane].any()
    masks.click()
    shot = shoot(canvas)
    assert near(shot.image, tinted(page), 24)[grown(band(shot), -4)].mean() > 0.99

    page.get_by_role("button", name="red", exact=True).click()
    shot = shoot(canvas)
    assert [is_drawn(shot, colours[label]) for label in LABELS] == [False, True, True]

    page.get_by_role("button", name="Boxes", exact=True).click()
    next_frame(canvas)
    shot = shoot(canvas)
    assert not any(is_drawn(shot, colours[label]) for label in LABELS)
    assert shot.number(*DRAWN_SIZE) == shot.seq


def test_a_choice_of_layers_is_kept(own_page: Page) -> None:
    page, canvas = own_page, image_of(own_page)
    page.get_by_role("button", name="Masks", exact=True).click()
    page.reload(wait_until="domcontentloaded")
    canvas.wait_for()
    masks = page.get_by_role("button", name="Masks", exact=True)
    expect(masks).to_have_attribute("aria-pressed", "false")
    shot = shoot(canvas)
    assert not near(shot.image, tinted(page), 24)[grown(band(shot), -4)].any()


def test_words_stand_at_the_boxes(page: Page, canvas: Locator) -> None:
    """A filled plate of the class's colour above each box, with dark letters on it."""
    colour, dark = colour_of(page, "blue"), np.array((0x0B, 0x10, 0x15))

    def plate() -> NDArray[np.uint8]:
        shot = shoot(canvas)
        boxes, _ = truth(shot.seq, *DRAWN_SIZE)
        left, top, _, _ = np.round(edges(shot, boxes)[LABELS.index("blue")]).astype(int)
        return shot.image[top - 14 : top - 2, left + 1 : left + 30]

    assert not near(plate(), colour, 3).any(), "words are off"
    labels = page.get_by_role("button", name="Labels", exact=True)
    labels.click()
    found = plate()
    labels.click()
    assert near(found, colour, 3).mean() > 0.3
    assert near(found, dark, 60).any()


_DRAWN = """async damaged => {
  const { drawFrame } = await import("/static/lib/draw.js");
  const picture = new OffscreenCanvas(64, 36), canvas = new OffscreenCanvas(320, 180);
  picture.getContext("2d").fillRect(0, 0, 64, 36);
  const layers = { masks: true, boxes: true, labels: true, points: true, hidden: new Set() };
  const frame = { bitmap: picture, message: { size: [64, 36], objects: [], damaged }, masks: [] };
  drawFrame(canvas, frame, layers);
  const { data } = canvas.getContext("2d").getImageData(0, 0, 320, 180);
  return data.filter((value, at) => at % 4 === 0 && value > 200).length;
}"""


def test_a_damaged_image_has_a_frame_and_words(scripts: Page) -> None:
    whole, damaged = (scripts.evaluate(_DRAWN, value) for value in (None, True))
    assert whole == 0
    assert damaged > 2 * (320 + 180) * 3  # a frame all around, half of it inside

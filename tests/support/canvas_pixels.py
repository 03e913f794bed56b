"""A canvas as pixels, and where on it the synthetic camera's truth must be."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Locator, Page

from pipeline.cameras.synthetic import read_number
from tests.support.live_site import Site, until

# In one turn of the page's loop: no frame is drawn between the number and the pixels.
_SHOT = """canvas => ({
  seq: canvas.dataset.seq === undefined ? null : Number(canvas.dataset.seq),
  png: canvas.toDataURL("image/png"),
})"""


_HIDE = """hidden => {
  Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event('visibilitychange'));
}"""


@dataclass(frozen=True)
class Shot:
    """A canvas at one moment.

    Attributes:
        seq: the frame that it says it shows.
        image: (height, width, 3) uint8 RGB.
    """

    seq: int
    image: NDArray[np.uint8]

    def placed(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Where an image of that size lies on it: left, top, width, height."""
        down, across = self.image.shape[:2]
        scale = min(across / width, down / height)
        shown = round(width * scale), round(height * scale)
        return (across - shown[0]) // 2, (down - shown[1]) // 2, *shown

    def picture(self, width: int, height: int) -> NDArray[np.uint8]:
        """The image on it, of whatever scale."""
        left, top, across, down = self.placed(width, height)
        return self.image[top : top + down, left : left + across]

    def number(self, width: int, height: int) -> int | None:
        """The number in the image's own pixels."""
        return read_number(self.picture(width, height))


def shoot(canvas: Locator) -> Shot:
    """The canvas now; it shows a frame."""
    told: dict[str, Any] = canvas.evaluate(_SHOT)
    assert told["seq"] is not None, "nothing is drawn yet"
    png = base64.b64decode(told["png"].partition(",")[2])
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return Shot(told["seq"], np.asarray(image[..., ::-1], np.uint8))


def colour_of(page: Page, label: str) -> NDArray[np.int16]:
    """The class's colour, RGB, as the page's own module says it."""
    script = "async label => (await import('/static/lib/colours.js')).rgbOf(label)"
    return np.array(page.evaluate(script, label), np.int16)


def near(image: NDArray[np.uint8], colour: NDArray[Any], within: int) -> NDArray[np.bool_]:
    """Pixels whose channels are all within so much of a colour."""
    return (np.abs(image.astype(np.int16) - colour) <= within).all(axis=-1)


def wait_in_page(page: Page, script: str, arg: object = None) -> None:
    """Waits until an expression of the page is true.

    ``Page.wait_for_function`` would need the ``eval`` that the page's CSP forbids.
    """
    until(lambda: page.evaluate(script, arg), what=f"for {script}")


def next_frame(canvas: Locator) -> None:
    """Waits until another frame than now is drawn."""
    before = canvas.get_attribute("data-seq")
    until(lambda: canvas.get_attribute("data-seq") != before, what="for another frame")


def hide(page: Page, hidden: bool) -> None:
    """Makes the page take itself for one in a tab that is hidden, or is not."""
    page.evaluate(_HIDE, hidden)


def still(page: Page, canvas: Locator, site: Site) -> None:
    """Holds the frame that is drawn: none is watched any more, and those on their way are here."""
    hide(page, True)
    until(lambda: not any(site.listeners().values()))
    seqs: list[str | None] = []

    def rests() -> bool:
        seqs.append(canvas.get_attribute("data-seq"))
        return len(seqs) > 20 and len(set(seqs[-20:])) == 1

    until(rests)

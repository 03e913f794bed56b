"""Images of events: what a frame shows of an object, with what the camera hides hidden."""

from __future__ import annotations

import time
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from mirante.frame import FrameResult
from plugins.events.options import EventsOptions
from plugins.frame import Frame
from plugins.preview.blur import Blur
from plugins.preview.jpeg import jpeg_of

BURST = 4  # images at once, in times of those of a second
_LEAST = 32  # pixels that an image shows at least, in width and height, where the frame has them
_SHARP = 64  # pixels of the longer side in which sharpness is looked for
_EDGES = 200.0  # variance of the Laplacian of an image that is half sharp

Corners = tuple[float, float, float, float]  # left, top, right, bottom


class Pictures:
    """Makes the images of one camera's events, at a bounded rate.

    Blackout is in the pixels of a frame already. Classes to blur are looked for in the results of
    every frame, those of the frame that is shown included, and the whole frame is blurred before a
    part of it is cut out, as in the image for people.

    Args:
        options: size, quality, margin, rate, classes to blur.
        clock: seconds, monotonic.
    """

    def __init__(self, options: EventsOptions, clock: Callable[[], float] = time.monotonic) -> None:
        self._options = options
        self._clock = clock
        self._blur = Blur(options.blur, clock) if options.blur else None
        self._most = max(1.0, BURST * options.images_per_s)
        self._left, self._at_s = self._most, clock()
        self._shown: NDArray[np.uint8] | None = None  # the frame at hand as it may be shown

    def observe(self, frame: Frame, result: FrameResult) -> None:
        """Note where classes are that are blurred; to be called for every frame, before ``of``."""
        self._shown = None
        if self._blur is not None:
            self._blur.observe(result, *frame.size)

    @property
    def may(self) -> bool:
        """True if another image may be made now."""
        now_s = self._clock()
        grown = self._left + (now_s - self._at_s) * self._options.images_per_s
        self._left, self._at_s = min(self._most, grown), now_s
        return self._left >= 1

    def of(self, frame: Frame, result: FrameResult, xyxy: Corners | None) -> bytes:
        """Return a JPEG of what is in a box and around it, or of the whole frame, and count it.

        Args:
            frame: the one that was observed last.
            result: its own.
            xyxy: in source pixels; None for the whole frame.

        Raises:
            ValueError: no JPEG can be made of it.
        """
        self._left -= 1
        shown = self._showable(frame)
        if xyxy is not None:
            shown = shown[_area(xyxy, self._options.image_margin, frame, result)]
        longer = max(shown.shape[:2])
        if longer > self._options.image_size:
            factor = self._options.image_size / longer
            height, width = (max(1, round(side * factor)) for side in shown.shape[:2])
            shown = np.asarray(cv2.resize(shown, (width, height), interpolation=cv2.INTER_AREA))
        bgr = np.asarray(cv2.cvtColor(shown, cv2.COLOR_RGB2BGR), np.uint8)
        return jpeg_of(bgr, self._options.image_quality)

    def _showable(self, frame: Frame) -> NDArray[np.uint8]:
        if self._blur is None:
            return frame.pixels
        if self._shown is None:
            shown = frame.pixels.copy()
            self._blur.apply(shown)
            self._shown = shown
        return self._shown


def sharpness(frame: Frame, result: FrameResult, xyxy: Corners) -> float:
    """Return how sharp the frame is in a box, 0.5 to 1, by the variance of its Laplacian."""
    seen = frame.pixels[_area(xyxy, 0.0, frame, result)]
    factor = min(1.0, _SHARP / max(seen.shape[:2]))
    height, width = (max(3, round(side * factor)) for side in seen.shape[:2])
    small = cv2.resize(seen, (width, height), interpolation=cv2.INTER_AREA)
    edges = cv2.Laplacian(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), cv2.CV_32F)
    variance = float(edges.var())
    return 0.5 + 0.5 * variance / (variance + _EDGES)


def _area(xyxy: Corners, margin: float, frame: Frame, result: FrameResult) -> tuple[slice, slice]:
    """Return rows and columns of the frame around a box; never none, wherever the box is."""
    width, height = frame.size
    across, down = width / result.width, height / result.height
    left, top, right, bottom = xyxy
    return (
        _span(top * down, bottom * down, margin, height),
        _span(left * across, right * across, margin, width),
    )


def _span(low: float, high: float, margin: float, length: int) -> slice:
    """Return the pixels from ``low`` to ``high`` with a margin, within 0 to ``length``."""
    around = max((high - low) * (0.5 + margin), _LEAST / 2)
    middle = min(max((low + high) / 2, 0.0), float(length))
    begin = min(max(0, int(middle - around)), max(0, length - _LEAST))
    end = max(min(length, int(np.ceil(middle + around))), min(length, begin + _LEAST))
    return slice(begin, end)

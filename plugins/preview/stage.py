"""The image for people: a JPEG at a bounded rate, and only while somebody watches."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from mirante.frame import FrameResult
from plugins.frame import DeviceFrame, Frame
from plugins.outbox.outbox import Outbox
from plugins.preview.blur import Blur
from plugins.preview.jpeg import jpeg_of
from plugins.preview.view_images import ViewImages


class PreviewStage:
    """Encodes a frame when a viewer is there and the last image is old enough.

    Args:
        outbox: says who watches, and takes the images.
        fps: maximum number of images per second.
        quality: JPEG quality, 1 to 100.
        blur: classes that are made unrecognisable first; frames themselves stay as they are.
        clock: seconds, monotonic.
        view: images of another stream, which take the place of these while there are some.

    Raises:
        ValueError: classes to blur and a view: nothing is found in the frames of the view.
    """

    def __init__(
        self,
        outbox: Outbox,
        fps: float,
        quality: int,
        blur: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
        view: ViewImages | None = None,
    ) -> None:
        if blur and view is not None:
            raise ValueError(f"blur: {', '.join(blur)}; expected none beside a view stream")
        self.outbox = outbox
        self.quality = quality
        self.encoded = 0
        self._blur = Blur(blur, clock) if blur else None
        self._view = view
        self._period_s = 1 / fps
        self._clock = clock
        self._due_s = 0.0

    def rests(self, camera: str) -> bool:
        """Return whether a call for the camera's next frame would do nothing: no image is due."""
        is_plain = self._blur is None and self._view is None
        return is_plain and not self._is_due(camera, self._clock())

    def _is_due(self, camera: str, now_s: float) -> bool:
        return now_s >= self._due_s and self.outbox.watched(camera)

    def __call__(self, frame: Frame, result: FrameResult) -> FrameResult:
        """Returns the result as it is."""
        if self._blur is not None:
            self._blur.observe(result, *frame.size)
        if self._view is not None and self._view.take_over(result):
            return result
        now_s = self._clock()
        if not self._is_due(result.camera, now_s):
            return result
        # From the due time, not from now, so that the rate does not sink with every late frame.
        self._due_s = max(self._due_s + self._period_s, now_s)
        jpeg = self._jpeg(frame)
        self.encoded += 1
        header = {
            "camera": result.camera,
            "seq": result.seq,
            "epoch": result.epoch,
            "ts": result.captured_ns / 1e9,
            "size": frame.size,
        }
        self.outbox.preview(result.camera, jpeg, header)
        return result

    def _jpeg(self, frame: Frame) -> bytes:
        made = None
        if isinstance(frame, DeviceFrame) and self._blur is None:
            made = frame.jpeg(self.quality)  # it need not leave the GPU
        if made is not None:
            return made
        bgr = cv2.cvtColor(frame.pixels, cv2.COLOR_RGB2BGR)
        if self._blur is not None:
            self._blur.apply(np.asarray(bgr, np.uint8))
        return jpeg_of(np.asarray(bgr, np.uint8), self.quality)

"""Clips of what a camera shows: decoded, turned, cut, painted, blurred, and encoded again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import gi
import numpy as np
from numpy.typing import NDArray

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from mirante.frame import FrameResult
from mirante.wire import WireError, decode
from plugins.clips.encoders import FPS, encoder_for
from plugins.clips.kept import Published
from plugins.clips.mp4 import VideoError, VideoFile
from plugins.clips.ring import Packet, Stream
from plugins.clips.timeline import Placed
from plugins.preview.blur import HOLD_S, Blur

AHEAD_NS = 500_000_000  # results of frames that come so much later blur too
REACH_NS = round(HOLD_S * 1e9)  # an image further from every result is blurred as a whole
DECODE_S = 20.0


class Image(NamedTuple):
    """An image as shown: (height, width, 3) uint8 RGB, turned, cut and blacked out.

    Attributes:
        pixels: its own, which may be written to.
        pts_ns: of its packet.
    """

    pixels: NDArray[np.uint8]
    pts_ns: int


class Decoder(Protocol):
    """Decodes packets to images as a camera shows them."""

    def push(self, packet: Packet, pts_ns: int, dts_ns: int) -> None:
        """Take the next packet."""

    def end(self) -> None:
        """No more packets come."""

    def pull(self, timeout_s: float) -> Image | None:
        """Return the next image; None where none came in time, or none will.

        Raises:
            VideoError: a packet cannot be shown as configured.
        """

    @property
    def is_over(self) -> bool:
        """True once the last image was pulled."""

    def close(self) -> None:
        """Let go of everything."""


MakeDecoder = Callable[[Stream], Decoder]


class Hiding:
    """Blurs classes in images of a moment by the results around it.

    Args:
        labels: the classes.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self._at_ns = 0
        self._blur = Blur(labels, lambda: self._at_ns / 1e9) if labels else None
        self._coming: deque[FrameResult] = deque()
        self._ahead: deque[FrameResult] = deque()  # observed once, before their time
        self._newest_ns = 0

    def know(self, results: Sequence[Published]) -> None:
        """Take results, in order of their time."""
        if self._blur is None:
            return
        for each in results:
            try:
                self._coming.append(decode(each.detections, each.masks))
            except WireError:  # an image near no result is blurred as a whole
                continue

    def hide(self, pixels: NDArray[np.uint8], captured_ns: int) -> None:
        """Blur in place. Images come in order of their time."""
        if self._blur is None:
            return
        height, width = pixels.shape[:2]
        self._at_ns = captured_ns
        while self._ahead and self._ahead[0].captured_ns <= captured_ns:
            result = self._ahead.popleft()
            self._newest_ns = result.captured_ns
            self._blur.observe(result, width, height)
        while self._coming and self._coming[0].captured_ns <= captured_ns + AHEAD_NS:
            result = self._coming.popleft()
            self._blur.observe(result, width, height)
            self._ahead.append(result)
        near = [self._newest_ns, *(each.captured_ns for each in self._ahead)]
        if min(abs(each - captured_ns) for each in near) > REACH_NS:
            self._blur.observe_all(width, height)
        self._blur.apply(pixels)


class ShownVideo:
    """Writes images as a camera shows them.

    Args:
        path: of the file.
        images: decodes the packets.
        hiding: blurs them.
        began_ns: Unix time in ns of the clip's time 0.

    Attributes:
        is_shown: True.
        frames: written so far.
        size: width and height; (0, 0) before the first.
    """

    is_shown = True

    def __init__(self, path: Path, images: Decoder, hiding: Hiding, began_ns: int) -> None:
        self._path, self._images, self._hiding = path, images, hiding
        self._began_ns = began_ns
        self._file: VideoFile | None = None
        self._last_ns = -1
        self.frames = 0
        self.size = (0, 0)

    def write(self, placed: Placed) -> None:
        """Write the next packet.

        Raises:
            VideoError: that cannot be.
        """
        self._images.push(*placed)
        while (image := self._images.pull(0)) is not None:
            self._put(image)

    def close(self) -> None:
        """Finish the file.

        Raises:
            VideoError: that cannot be, or there was no image.
        """
        try:
            self._images.end()
            while (image := self._images.pull(DECODE_S)) is not None:
                self._put(image)
            if not self._images.is_over or self._file is None:
                raise VideoError("its images could not be decoded")
            self._file.close()
        finally:
            self.abort()

    def abort(self) -> None:
        """Leave the file as it is."""
        self._images.close()
        if self._file is not None:
            self._file.abort()

    def _put(self, image: Image) -> None:
        """Write an image, unless it has no time of its own: a decoder may give one none, or that of
        the one before. No file holds it then, and nobody knows what there is to hide in it.
        """
        if not self._last_ns < image.pts_ns < Gst.CLOCK_TIME_NONE:
            return
        self._last_ns = image.pts_ns
        pixels = image.pixels
        even = pixels[: pixels.shape[0] // 2 * 2, : pixels.shape[1] // 2 * 2]
        height, width = even.shape[:2]
        if self._file is None:
            self.size = (width, height)
            caps = f"video/x-raw,format=RGB,width={width},height={height},framerate={FPS}/1"
            try:
                encode = encoder_for(width, height)
            except LookupError as error:
                raise VideoError(str(error)) from error
            launch = f"videoconvert ! video/x-raw,format=I420 ! {encode} ! h264parse"
            self._file = VideoFile(self._path, Gst.Caps.from_string(caps), launch)
        if self.size != (width, height):
            raise VideoError("its images changed their size")
        self._hiding.hide(pixels, self._began_ns + image.pts_ns)
        buffer = Gst.Buffer.new_wrapped(_rows(even))
        buffer.pts = image.pts_ns
        self._file.put(buffer)
        self.frames += 1


def _rows(pixels: NDArray[np.uint8]) -> bytes:
    """The rows of an image, each padded to a multiple of 4 bytes as GStreamer has them."""
    height, width = pixels.shape[:2]
    stride = -(-width * 3 // 4) * 4
    rows = np.zeros((height, stride), np.uint8)
    rows[:, : width * 3] = pixels.reshape(height, width * 3)
    return rows.tobytes()


def image_of(
    images: Decoder, packets: Sequence[Placed], hiding: Hiding, began_ns: int, at_ns: int
) -> NDArray[np.uint8] | None:
    """Return the image of a moment as shown; None where none can be decoded.

    Args:
        images: decodes the packets; it is closed.
        packets: from a key frame up to the moment.
        hiding: blurs it.
        began_ns: Unix time in ns of the packets' time 0.
        at_ns: Unix time in ns of the moment.
    """
    nearest: Image | None = None
    try:
        for placed in packets:
            images.push(*placed)
        images.end()
        while (image := images.pull(DECODE_S)) is not None:
            if image.pts_ns == Gst.CLOCK_TIME_NONE:
                continue
            off_ns = abs(began_ns + image.pts_ns - at_ns)
            if nearest is None or off_ns < abs(began_ns + nearest.pts_ns - at_ns):
                nearest = image
    finally:
        images.close()
    if nearest is None:
        return None
    hiding.hide(nearest.pixels, began_ns + nearest.pts_ns)
    return nearest.pixels

"""Decodes image files and pushes them into a graph at their pace."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import gi
import numpy as np
from numpy.typing import NDArray

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst

from pipeline.cameras.image_size import check_size
from pipeline.cameras.images import POLL_S, NewImages, files, is_whole
from pipeline.config.camera import Camera
from pipeline.gst.feed import rows_buffer
from plugins.ledger import DAMAGED, Ledger

_Resource = Gst.ResourceError
FPS = 1.0  # where the camera names none
BURST_S = 10.0  # of damaged images the first is told
_FULL, _ROOM_S = 2, 0.005  # images that appsrc holds, and how often it is asked for room


class ImageFeed:
    """A thread that decodes images and hands them to an appsrc.

    An image that cannot be decoded is a frame that was dropped as ``damaged``; the first of a burst
    is told as a warning of the graph.

    Args:
        source: the appsrc.
        images: where they come from.
        spec: the camera, for its ``fps``, ``pace``, ``loop`` and ``watch``.
        ledger: its account.

    Attributes:
        is_resting: it waits for the time of the next image, or for a new one.
    """

    next_number = 0  # files are not numbered by what is drawn

    def __init__(self, source: Any, images: NewImages, spec: Camera, ledger: Ledger) -> None:
        self._source = source
        self._images = images
        self._spec = spec
        self._ledger = ledger
        self._interval_s = 1 / (spec.most_fps or FPS)
        self._is_paced = spec.most_fps is not None if spec.watch else spec.pace == "realtime"
        self.is_resting = False
        self._count = 0
        self._due_s = 0.0
        self._told_s = float("-inf")
        self._last_words = ""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="image-feed", daemon=True)

    @property
    def is_idle(self) -> bool:
        """Nothing is there to be shown."""
        return self._images.is_empty

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._ended.set()
        self._thread.join(timeout=1)

    def _run(self) -> None:
        fault = None
        try:
            fault = self._feed()
        except FileNotFoundError as error:
            fault = _Resource.NOT_FOUND, f"no such file: {error.filename}"
        except OSError as error:
            fault = _Resource.OPEN_READ, f"{error.filename} cannot be opened: {error.strerror}"
        if fault is not None:
            self._post(Gst.Message.new_error, *fault)
        elif not self._ended.is_set():
            self._source.emit("end-of-stream")

    def _feed(self) -> tuple[Any, str] | None:
        """Push all that come; return what is wrong with them as a whole, by GStreamer's code."""
        while not self._ended.is_set():
            shown = count = 0
            for path, content in self._look():
                if not self._wait():
                    return None
                count += 1
                shown += self._push(path, content)
            if self._spec.watch:
                self._rest(POLL_S)
            elif not count:
                return _Resource.NOT_FOUND, f"no images in {self._images.place}"
            elif not shown:
                words = f"none of its images, {count}: {self._last_words}"
                return Gst.StreamError.WRONG_TYPE, words
            elif not self._spec.loop:
                return None
        return None

    def _look(self) -> Iterator[tuple[Path, bytes | OSError]]:
        return self._images.look() if self._spec.watch else _contents(self._images.place)

    def _wait(self) -> bool:
        """Wait until the next image is due and there is room for it; False once it has ended.

        An image that is late is made up for by the next; but there is no next to wait for in a
        folder that is watched.
        """
        now_s = time.monotonic()
        late_s = 0.0 if self._spec.watch else self._interval_s
        due_s = max(self._due_s + self._interval_s, now_s - late_s) if self._count else now_s
        self._due_s = due_s
        if self._is_paced:
            self._rest(due_s - now_s)
        while self._source.get_property("current-level-buffers") >= _FULL:
            if self._ended.wait(_ROOM_S):
                return False
        return not self._ended.is_set()

    def _rest(self, seconds: float) -> None:
        self.is_resting = True
        self._ended.wait(max(0.0, seconds))
        self.is_resting = False

    def _push(self, path: Path, content: bytes | OSError) -> bool:
        pts = int(self._count * self._interval_s * 1e9)
        self._count += 1
        try:
            image = decoded(content, counts=self._spec.thermal_range is not None)
        except ValueError as error:
            self._damaged(pts, f"{path}: {error}")
            return False
        height, width = image.shape[:2]
        buffer = rows_buffer(image)
        buffer.pts = pts
        kind = "BGR" if image.ndim == 3 else "GRAY16_LE"
        caps = f"video/x-raw,format={kind},width={width},height={height},framerate=0/1"
        sample = Gst.Sample.new(buffer, Gst.Caps.from_string(caps), None, None)
        self._source.emit("push-sample", sample)
        return True

    def _damaged(self, pts: int, words: str) -> None:
        while self._source.get_property("current-level-buffers"):  # those before it are counted
            if self._ended.wait(_ROOM_S):
                return
        self._ledger.decoded(pts, time.time_ns(), "arrival", (0, 0), damaged=True)
        self._ledger.drop(pts, DAMAGED)
        self._last_words = words
        if time.monotonic() - self._told_s > BURST_S:
            self._told_s = time.monotonic()
            self._post(Gst.Message.new_warning, Gst.StreamError.DECODE, words)

    def _post(self, make: Any, code: Any, words: str) -> None:
        error = GLib.Error.new_literal(type(code).quark(), words, code)
        self._source.post_message(make(self._source, error, words))


def _contents(place: str) -> Iterator[tuple[Path, bytes | OSError]]:
    for path in files(place):
        try:
            content: bytes | OSError = path.read_bytes()
        except OSError as error:
            content = error
        yield path, content


def decoded(content: bytes | OSError, counts: bool = False) -> NDArray[np.uint8 | np.uint16]:
    """Return an image as it is shown, its Exif orientation applied: (height, width, 3) uint8 BGR.

    Args:
        content: of the file, or why it was not read.
        counts: return 16-bit grey, as thermal cameras have it, as (height, width) uint16.

    Raises:
        ValueError: it is no JPEG or PNG, not a whole one, too large, or was not read at all.
    """
    if isinstance(content, OSError):
        raise ValueError(f"cannot be read: {content.strerror}")  # it is the image's
    if not content.startswith((b"\xff\xd8", b"\x89PNG")):
        raise ValueError("not a JPEG or PNG image")
    if not is_whole(content):
        raise ValueError("cut off: the end of the image is missing")
    check_size(content)
    if counts:
        whole = _imdecode(content, cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR)
        if whole.ndim == 2 and whole.dtype == np.uint16:
            return np.asarray(whole, np.uint16)
    return np.asarray(_imdecode(content, cv2.IMREAD_COLOR), np.uint8)


def _imdecode(content: bytes, flags: int) -> NDArray[Any]:
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error:  # larger than OpenCV takes
        image = None
    if image is None:
        raise ValueError("damaged: it cannot be decoded")
    return image

"""Pushes the synthetic camera's images into a graph at their pace."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Any

import gi
import numpy as np

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from pipeline.cameras.synthetic import picture
from pipeline.config.synthetic_options import SyntheticOptions


class SyntheticFeed:
    """A thread that draws frame after frame into an appsrc, from number ``first`` on.

    Attributes:
        next_number: the number of the frame that comes next.
    """

    def __init__(self, source: Any, options: SyntheticOptions, first: int = 0) -> None:
        self.next_number = first
        self._source = source
        self._options = options
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="synthetic-feed", daemon=True)

    def start(self) -> None:
        """Begins to draw."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread."""
        self._ended.set()
        self._thread.join(timeout=1)

    def _run(self) -> None:
        width, height, fps = self._options.width, self._options.height, self._options.fps
        started_s, first = time.monotonic(), self.next_number
        while True:
            due_s = started_s + (self.next_number - first) / fps
            if self._ended.wait(max(0.0, due_s - time.monotonic())):
                return
            clock = datetime.now(UTC).strftime("%H:%M:%S.%f")[:-3]
            image = picture(self.next_number, width, height, clock)
            if self._source.emit("push-buffer", rows_buffer(image)) != Gst.FlowReturn.OK:
                return
            self.next_number += 1


def rows_buffer(image: Any) -> Any:
    """Return a buffer of an image (height, width) or (height, width, 3), of 8 or 16 bits; GStreamer
    wants each row to begin at a multiple of four bytes.
    """
    rows = np.ascontiguousarray(image).view(np.uint8).reshape(len(image), -1)
    if missing := -rows.shape[1] % 4:
        rows = np.pad(rows, ((0, 0), (0, missing)))
    return Gst.Buffer.new_wrapped(rows.tobytes())
